export const EXECUTION_MODES = ['SYNC', 'ASYNC'] as const;
/** Whether the response waits for the executions. */
export type ExecutionMode = (typeof EXECUTION_MODES)[number];

export const DISPATCHES = ['PARALLEL', 'SEQUENTIAL'] as const;
/** Whether a webhook's workers run at once, or each after the one before succeeded. */
export type Dispatch = (typeof DISPATCHES)[number];
