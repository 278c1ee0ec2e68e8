/** A JSON Schema (2020-12), as OpenAPI 3.1 has it. */
export type Schema = Readonly<Record<string, unknown>>;

/** A header of a response. */
export interface HeaderForm {
  readonly description: string;
  /** Whether every such response has it. */
  readonly required?: true;
  readonly schema: Schema;
}

/** One that stands in the document's components. */
export interface Reference {
  readonly $ref: string;
}

export type HeaderForms = Readonly<Record<string, HeaderForm | Reference>>;

export interface MediaForm {
  readonly schema: Schema;
  readonly examples?: Readonly<Record<string, { readonly summary?: string; readonly value: unknown }>>;
}

export interface ResponseForm {
  readonly description: string;
  readonly headers?: HeaderForms;
  readonly content?: Readonly<Record<string, MediaForm>>;
}

export type ResponseForms = Readonly<Record<string, ResponseForm | Reference>>;

export interface ParameterForm {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly description: string;
  readonly required?: true;
  readonly schema: Schema;
  readonly example?: unknown;
}

export interface OperationForm {
  readonly operationId: string;
  readonly summary: string;
  readonly description: string;
  readonly tags: readonly string[];
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters?: readonly ParameterForm[];
  readonly requestBody?: Readonly<Record<string, unknown>>;
  readonly responses: ResponseForms;
}

/** What depends on the installation. */
export interface DocumentFacts {
  /** Of this program. */
  readonly version: string;
  readonly bodyBytesMax: number;
  readonly syncTimeoutMs: number;
  readonly preferWaitMsMax: number;
  readonly idempotencyWindowMs: number;
}

/** Ids and a moment for examples. */
export const EXAMPLE = {
  webhookId: 'wh_7x2m9k4c1v8n3b6q0z5w2r4t6y',
  callId: 'call-06f0k2v7w8x9y0z1a2b3c4d5e6',
  executionId: 'exec-06f0k2v7w8x9y0z1a2b3c4d5e7',
  workerId: 'worker-ticket-triage',
  requestId: '0b7f4f0e-5f0a-4f6e-9d55-3f2f1c6f5a10',
  timestamp: '2026-11-25T10:00:00.000Z',
  later: '2026-11-25T10:00:01.250Z',
  tag: '"q1w2e3r4t5y6u7i8o9p0aZ"',
  signature: '0f'.repeat(32),
} as const;
