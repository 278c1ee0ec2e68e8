import { describe, expect, it } from '@jest/globals';
import { Gate } from '../../../src/lib/gate.js';

describe('Gate', () => {
  it('lets so many through at a time, in order, also behind one that fails', async () => {
    const gate = new Gate(2);
    let atOnce = 0;
    let most = 0;
    const began: number[] = [];
    const work = (i: number) => async (): Promise<number> => {
      began.push(i);
      most = Math.max(most, ++atOnce);
      await Promise.resolve();
      atOnce -= 1;
      if (i % 3 === 0) throw new Error(`no ${i}`);
      return i;
    };
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, (_, i) => gate.run(work(i))));
    expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7, 8].map((i) => i % 3 > 0),
    );
    expect(began).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(most).toBe(2);
    expect(await gate.run(() => Promise.resolve('free again'))).toBe('free again');
  });
});
