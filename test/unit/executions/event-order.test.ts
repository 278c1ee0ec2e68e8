import { describe, expect, it } from '@jest/globals';
import { EventOrder } from '../../../src/executions/event-order.js';
import { readFollowCursor } from '../../../src/executions/follow-many.js';
import type { EventPlace } from '../../../src/executions/read-event-places.js';

const at = (executionId: string, seq: number, xid: number): EventPlace => ({ executionId, seq, xid: BigInt(xid) });
const beginning = at('', 0, 0);
const short = ({ executionId, seq }: EventPlace): string => `${executionId}${seq}`;

describe('EventOrder', () => {
  it('goes by transaction, with an execution’s first event before its second', () => {
    const order = new EventOrder(beginning);
    const { due, waiting } = order.next([[at('a', 2, 10), at('a', 3, 30)], [at('b', 2, 20)]], 100n);
    expect(due.map(short)).toEqual(['a1', 'a2', 'b1', 'b2', 'a3']);
    expect(waiting.size).toBe(0);
  });

  it('holds back what is not behind every open transaction, and tells it later', () => {
    const order = new EventOrder(beginning);
    const first = order.next([[at('a', 2, 10), at('a', 3, 30)], [at('b', 2, 20)]], 20n);
    expect(first.due.map(short)).toEqual(['a1', 'a2']);
    expect([...first.waiting]).toEqual(['a', 'b']);
    first.due.forEach((place) => order.told(place));
    expect(order.seqOf('a')).toBe(2);
    expect(order.next([[at('a', 3, 30)], [at('b', 2, 20)]], 31n).due.map(short)).toEqual(['b1', 'b2', 'a3']);
  });

  it('keeps an execution’s events in their order when its transactions are not', () => {
    const order = new EventOrder(beginning);
    // The transaction with the smaller id waited for the row, and wrote the later event.
    const { due } = order.next(
      [[at('a', 2, 10), at('a', 3, 40), at('a', 4, 39), at('a', 5, 50)], [at('b', 2, 39)]],
      100n,
    );
    expect(due.map(short)).toEqual(['a1', 'a2', 'b1', 'b2', 'a3', 'a4', 'a5']);
  });

  it('gives behind any event what came behind it, when all is read again', () => {
    const all = [[at('a', 2, 10), at('a', 3, 40), at('a', 4, 39)], [at('b', 2, 39), at('b', 3, 41)], [at('c', 2, 40)]];
    const { due } = new EventOrder(beginning).next(all, 100n);
    for (const [i, place] of due.entries()) {
      expect(new EventOrder(place).next(all, 100n).due.map(short)).toEqual(due.slice(i + 1).map(short));
    }
  });
});

describe('readFollowCursor', () => {
  it.each([
    '',
    '1',
    'a.b.c.d',
    '1.1.00000000-0000-0000-0000-000000000000',
    '1.1.00000000-0000-0000-0000-00000000000g.1',
  ])('refuses %j', (text) => {
    expect(readFollowCursor(text)).toBeUndefined();
  });

  it('reads ids beyond what a number holds', () => {
    expect(readFollowCursor('9007199254740993.1.00000000-0000-0000-0000-000000000001.7')).toEqual({
      xid: 9007199254740993n,
      atMs: 1,
      executionId: '00000000-0000-0000-0000-000000000001',
      seq: 7,
    });
  });
});
