import { describe, expect, it } from '@jest/globals';
import { canMove, EXECUTION_STATUSES, isTerminal, TERMINAL_STATUSES } from '../../../src/executions/states.js';
import { readPage } from '../../support/page.js';

const picture = await readPage('docs/state-machine.md');
const edges = [...picture.matchAll(/^ +(\S+) --> (\S+)$/gm)].map(([, from, to]) => `${from} → ${to}`);

describe('the states of an execution', () => {
  it('are drawn as the table has them', () => {
    const moves = EXECUTION_STATUSES.flatMap((from) =>
      EXECUTION_STATUSES.filter((to) => canMove(from, to)).map((to) => `${from} → ${to}`),
    );
    expect(edges.filter((edge) => !edge.includes('[*]')).toSorted()).toEqual(moves.toSorted());
  });

  it('end where the picture ends', () => {
    const ends = edges.filter((edge) => edge.endsWith('→ [*]')).map((edge) => edge.split(' ')[0]);
    expect(new Set(ends)).toEqual(new Set(TERMINAL_STATUSES));
  });

  it('never leave a terminal one', () => {
    for (const from of TERMINAL_STATUSES) {
      expect(isTerminal(from)).toBe(true);
      expect(EXECUTION_STATUSES.some((to) => canMove(from, to))).toBe(false);
    }
  });
});
