import { describe, expect, it } from '@jest/globals';
import type { Lease } from '../../../src/executions/lease.js';
import { RunProgress } from '../../../src/executions/run-progress.js';
import type { ProgressEntry, ProgressWrite } from '../../../src/executions/write-progress.js';
import { LeaseLost } from '../../../src/workers/worker-run.js';

const lease = { executionId: 'e', token: 't', attempt: 1 } as unknown as Lease;
const step = (path: string): ProgressEntry => ({ kind: 'step', path, status: 'RUNNING' });

const recording = (): { readonly progress: RunProgress; readonly written: string[][] } => {
  const written: string[][] = [];
  const write = async ({ entries }: ProgressWrite): Promise<'written'> => {
    written.push(entries.map((entry) => (entry.kind === 'step' ? entry.path : 'text')));
    return 'written';
  };
  const onLost = (error: Error): never => {
    throw error;
  };
  return { progress: new RunProgress({ lease, write, onLost }), written };
};

describe('RunProgress', () => {
  it('writes what is recorded in the very turn in which a write has ended', async () => {
    const { progress, written } = recording();
    await progress
      .record(step('a'))
      .then(() => progress.record(step('b')))
      .then(() => progress.record(step('c')));
    expect(written).toEqual([['a'], ['b'], ['c']]);
  });

  it('writes together what is recorded while a write is under way', async () => {
    const { progress, written } = recording();
    await Promise.all(['a', 'b', 'c'].map((path) => progress.record(step(path))));
    expect(written).toEqual([['a'], ['b', 'c']]);
  });

  it('takes nothing more once it is closed, and has written all by then', async () => {
    const { progress, written } = recording();
    void progress.record(step('a'));
    await progress.close();
    expect(written).toEqual([['a']]);
    await expect(progress.record(step('b'))).rejects.toBeInstanceOf(LeaseLost);
    await progress.close();
    expect(written).toEqual([['a']]);
  });
});
