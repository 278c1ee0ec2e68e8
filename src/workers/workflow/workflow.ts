import type { OutboundMethod } from '../../outbound/outbound-client.js';
import type { JsonTemplate } from '../../templates/json-template.js';
import type { Condition, Template } from '../../templates/template.js';

/**
 * A workflow that was checked and whose templates are parsed, ready to run. Templates see `input` (the body), `steps`
 * (by id, each with its `result`, null when it was skipped, and its `error` when it failed and the workflow went on),
 * and inside of a `foreach` its `item` and `index`.
 */
export interface Workflow {
  readonly steps: readonly WorkflowStep[];
  /** The workflow's result; without one it is the result of the last step. */
  readonly output: JsonTemplate | undefined;
}

export type WorkflowStep =
  | WorkerStep
  | HttpStep
  | ApprovalStep
  | ForeachStep
  | ParallelStep
  | WaitStep
  | SwitchStep
  | SetStep;

/** What every step may have. */
export interface StepBase {
  /** Unique in the workflow. */
  readonly id: string;
  /** A step whose condition does not hold is skipped: its result is null. */
  readonly if: Condition | undefined;
  /** What becomes of the workflow when the step has failed for good. */
  readonly onError: 'fail' | 'continue';
  readonly retry: StepRetry;
  /** After how many milliseconds a try is aborted. */
  readonly timeoutMs: number | undefined;
}

/** How a step that failed is tried again, when its error may pass. */
export interface StepRetry {
  /** Tries behind the first one; 0 when it is not tried again. */
  readonly max: number;
  readonly backoff: 'exponential' | 'fixed';
  /** Before the second try, in milliseconds. */
  readonly delayMs: number;
}

/** Runs a worker; its result is the step's. */
export interface WorkerStep extends StepBase {
  readonly kind: 'worker';
  /** `worker-…` */
  readonly workerId: string;
  /** The worker's input; without one it gets that of the workflow. */
  readonly with: JsonTemplate | undefined;
}

/** Sends a request through a connection; its result is `{status, headers, body}`, as that of an HTTP worker. */
export interface HttpStep extends StepBase {
  readonly kind: 'http';
  /** `conn-…` */
  readonly connectionId: string;
  readonly method: OutboundMethod;
  /** Below the base URL of the connection. */
  readonly path: Pick<Template, 'render' | 'variables'>;
  readonly query: Readonly<Record<string, Template>>;
  readonly headers: Readonly<Record<string, Template>>;
  readonly body: JsonTemplate | undefined;
}

/** Waits for a person; its result is `{approved: true, by, at, comment}`, and a rejection fails it. */
export interface ApprovalStep extends StepBase {
  readonly kind: 'approval';
  /** After how many milliseconds without a decision it fails. */
  readonly expiresMs: number;
  /** What the person is asked. */
  readonly message: Template | undefined;
}

/** Does steps for each item of an array; its result is the array of what the last step of each came to. */
export interface ForeachStep extends StepBase {
  readonly kind: 'foreach';
  readonly items: Template;
  /** Items under way at a time. */
  readonly concurrency: number;
  readonly do: readonly WorkflowStep[];
}

/** Does lists of steps side by side; its result is the array of what the last step of each came to. */
export interface ParallelStep extends StepBase {
  readonly kind: 'parallel';
  readonly branches: readonly (readonly WorkflowStep[])[];
}

/** Waits without holding anything; its result is null. */
export interface WaitStep extends StepBase {
  readonly kind: 'wait';
  /** A duration, or a template that gives one: `10m`, `PT10M`, or milliseconds. */
  readonly duration: number | Template;
}

/** Does the first case that holds; its result is what the last step of it came to, null when none does. */
export interface SwitchStep extends StepBase {
  readonly kind: 'switch';
  readonly cases: readonly { readonly if: Condition | undefined; readonly do: readonly WorkflowStep[] }[];
}

/** Gives values names; its result is the object of them. */
export interface SetStep extends StepBase {
  readonly kind: 'set';
  readonly values: JsonTemplate;
}
