import { describe, expect, it } from '@jest/globals';
import type { Logger } from '../../../src/lib/logger.js';
import { SparseLog } from '../../../src/lib/sparse-log.js';

describe('SparseLog', () => {
  it('tells of the first failure of a second, and then of how many it passed over', () => {
    const clock = { ms: 5_000, nowMs: () => 0, monotonicMs: () => clock.ms };
    const lines: object[] = [];
    const log = { error: (facts: object) => lines.push(facts) } as unknown as Logger;
    const failures = new SparseLog({ log, clock });
    const away = new Error('away');
    failures.error(away, 'it failed');
    for (clock.ms = 5_001; clock.ms < 6_000; clock.ms += 100) failures.error(away, 'it failed');
    expect(lines).toEqual([{ err: away }]);
    clock.ms = 6_000;
    const other = new Error('something else');
    failures.error(other, 'it failed');
    expect(lines.slice(1)).toEqual([{ err: other, passedOver: 10 }]);
    clock.ms = 9_000;
    failures.error(away, 'it failed');
    expect(lines.slice(2)).toEqual([{ err: away }]);
  });
});
