/**
 * The states of an execution and the moves between them; `docs/state-machine.md` draws this table.
 *
 * QUEUED: its job waits for a runner. WAITING: it waits for something else, its call's turn under flow control, the
 * worker before it in a sequence or the moment of a retry. RUNNING: a runner holds its lease. The others are terminal and never change again.
 */
export const EXECUTION_STATUSES = [
  'QUEUED',
  'WAITING',
  'RUNNING',
  'SUCCEEDED',
  'FAILED',
  'CANCELED',
  'TIMED_OUT',
  'SKIPPED',
] as const;
export type ExecutionStatus = (typeof EXECUTION_STATUSES)[number];

const MOVES: Readonly<Record<ExecutionStatus, readonly ExecutionStatus[]>> = {
  QUEUED: ['RUNNING', 'WAITING', 'CANCELED'],
  WAITING: ['QUEUED', 'RUNNING', 'CANCELED', 'SKIPPED'],
  RUNNING: ['SUCCEEDED', 'FAILED', 'TIMED_OUT', 'CANCELED', 'WAITING', 'QUEUED', 'RUNNING'],
  SUCCEEDED: [],
  FAILED: [],
  CANCELED: [],
  TIMED_OUT: [],
  SKIPPED: [],
};

/** Whether an execution in this state never changes again. */
export function isTerminal(status: ExecutionStatus): boolean {
  return MOVES[status].length === 0;
}

/** Whether an execution may go from one state to another. RUNNING → RUNNING is a dead runner's lease taken over. */
export function canMove(from: ExecutionStatus, to: ExecutionStatus): boolean {
  return MOVES[from].includes(to);
}

/** The states that never change again. */
export const TERMINAL_STATUSES: readonly ExecutionStatus[] = EXECUTION_STATUSES.filter(isTerminal);
