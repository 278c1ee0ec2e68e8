/** What a workflow may be at most; `docs/workflows.md` lists it. Durations are in milliseconds. */
export const WORKFLOW_LIMITS = {
  /** Of the definition as JSON. */
  definitionBytes: 262_144,
  /** How deep values may lie in a definition. */
  valueDepth: 64,
  /** All steps, those inside of others included. */
  steps: 200,
  /** How deep steps may lie in others. */
  stepDepth: 8,
  idCharacters: 64,
  branches: 20,
  cases: 20,
  /** Items of a `foreach` under way at a time. */
  concurrency: 20,
  retries: 20,
  retryDelayMs: 3_600_000,
  stepTimeoutMs: 3_600_000,
  waitMs: 2_592_000_000,
  approvalMs: 2_592_000_000,
  messageCharacters: 4_000,
} as const;

/** What is taken when a step does not say. */
export const WORKFLOW_DEFAULTS = {
  concurrency: 1,
  retryDelayMs: 1_000,
  approvalMs: 604_800_000,
} as const;
