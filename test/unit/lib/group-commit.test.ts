import { describe, expect, it } from '@jest/globals';
import { GroupCommit, type GroupCommitOptions } from '../../../src/lib/group-commit.js';

/** A commit that the test lets through by hand, and a clock that it moves. */
function setUp(options: Partial<GroupCommitOptions<number, string>> = {}) {
  const batches: number[][] = [];
  const gates: PromiseWithResolvers<void>[] = [];
  const started: PromiseWithResolvers<void>[] = [Promise.withResolvers()];
  const clock = { ms: 0, nowMs: () => 0, monotonicMs: () => clock.ms };
  const groupCommit = new GroupCommit<number, string>({
    commit: async (batch) => {
      batches.push([...batch]);
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      started.at(-1)!.resolve();
      started.push(Promise.withResolvers());
      await gate.promise;
      return batch.map((n) => `stored ${n}`);
    },
    batchItemsMax: 3,
    waitingItemsMax: 5,
    waitMsMax: 1_000,
    overloaded: () => new Error('overloaded'),
    isItemFault: () => false,
    clock,
    ...options,
  });
  return { groupCommit, batches, gates, clock, nthStart: (n: number) => started[n]!.promise };
}

describe('GroupCommit', () => {
  it('lets what arrives during a commit share the next one', async () => {
    const { groupCommit, batches, gates, nthStart } = setUp();
    const first = groupCommit.add(1);
    await nthStart(0);
    const later = [groupCommit.add(2), groupCommit.add(3), groupCommit.add(4), groupCommit.add(5)];
    expect(batches).toEqual([[1]]);
    gates[0]!.resolve();
    await nthStart(1);
    expect(await first).toBe('stored 1');
    gates[1]!.resolve();
    await nthStart(2);
    gates[2]!.resolve();
    expect(await Promise.all(later)).toEqual(['stored 2', 'stored 3', 'stored 4', 'stored 5']);
    expect(batches).toEqual([[1], [2, 3, 4], [5]]);
  });

  it('refuses at once past the bound of its queue', async () => {
    const { groupCommit, gates, nthStart } = setUp({ waitingItemsMax: 1 });
    const first = groupCommit.add(1);
    await nthStart(0);
    const second = groupCommit.add(2);
    await expect(groupCommit.add(3)).rejects.toThrow('overloaded');
    gates[0]!.resolve();
    await nthStart(1);
    gates[1]!.resolve();
    expect(await Promise.all([first, second])).toEqual(['stored 1', 'stored 2']);
  });

  it('ends a batch where its bytes would be too many, and lets a larger item go alone', async () => {
    const { groupCommit, batches, gates, nthStart } = setUp({
      bytes: { of: (n) => n, batchMax: 10, waitingMax: 1_000 },
    });
    const all = [4, 6, 1, 50, 2].map((n) => groupCommit.add(n));
    for (let n = 0; n < 4; n += 1) {
      await nthStart(n);
      gates[n]!.resolve();
    }
    await Promise.all(all);
    expect(batches).toEqual([[4, 6], [1], [50], [2]]);
  });

  it('refuses at once past the bytes of its queue, and counts down what left it', async () => {
    const { groupCommit, gates, nthStart } = setUp({ bytes: { of: (n) => n, batchMax: 10, waitingMax: 10 } });
    const first = groupCommit.add(50); // alone, however large
    await nthStart(0);
    const second = groupCommit.add(7);
    await expect(groupCommit.add(4)).rejects.toThrow('overloaded');
    const third = groupCommit.add(3);
    gates[0]!.resolve();
    await nthStart(1);
    const fourth = groupCommit.add(10);
    gates[1]!.resolve();
    await nthStart(2);
    gates[2]!.resolve();
    expect(await Promise.all([first, second, third, fourth])).toHaveLength(4);
  });

  it('refuses what waited too long, and writes nothing of it', async () => {
    const { groupCommit, batches, gates, clock, nthStart } = setUp();
    const first = groupCommit.add(1);
    await nthStart(0);
    const second = groupCommit.add(2);
    clock.ms = 1_001;
    gates[0]!.resolve();
    await expect(second).rejects.toThrow('overloaded');
    expect(await first).toBe('stored 1');
    expect(batches).toEqual([[1]]);
  });

  it('tries a batch one by one when an item is at fault, so that only that one fails', async () => {
    const { groupCommit } = setUp({
      commit: (batch) =>
        batch.includes(2) ? Promise.reject(new Error('item 2')) : Promise.resolve(batch.map((n) => `stored ${n}`)),
      isItemFault: () => true,
    });
    const settled = await Promise.allSettled([1, 2, 3].map((n) => groupCommit.add(n)));
    expect(settled.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('fails the whole batch when the transaction failed', async () => {
    const { groupCommit } = setUp({ commit: () => Promise.reject(new Error('the database is away')) });
    const settled = await Promise.allSettled([1, 2].map((n) => groupCommit.add(n)));
    expect(settled.every((result) => result.status === 'rejected')).toBe(true);
  });

  it('settles what it took before it closes, and takes nothing more', async () => {
    const { groupCommit, gates, nthStart } = setUp();
    const first = groupCommit.add(1);
    await nthStart(0);
    const closed = groupCommit.close();
    await expect(groupCommit.add(2)).rejects.toThrow('overloaded');
    gates[0]!.resolve();
    await closed;
    expect(await first).toBe('stored 1');
  });
});
