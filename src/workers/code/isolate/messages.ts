import type { ErrorCode } from '../../../errors.js';
import type { JsonText } from '../../../lib/json-text.js';
import type { ModuleDescription } from '../import-modules.js';

/** What the gateway tells an isolate. All of it is JSON. */
export type ToIsolate =
  /** First of all. `sources` are the files as they were at the start, by name; others are read from the disk. */
  | { readonly type: 'begin'; readonly dir: string; readonly sources: Readonly<Record<string, string>> }
  | { readonly type: 'describe'; readonly file: string }
  | ({ readonly type: 'run'; readonly run: number } & RunMessage)
  | { readonly type: 'abort'; readonly run: number; readonly reason: string }
  | ({ readonly type: 'answer'; readonly ask: number } & Answer)
  | { readonly type: 'ping' };

export interface RunMessage {
  readonly file: string;
  readonly input: JsonText;
  readonly executionId: string;
  readonly callId: string;
  readonly webhookId: string;
  readonly attempt: number;
}

/** What an isolate tells the gateway. */
export type FromIsolate =
  | { readonly type: 'described'; readonly module: ModuleDescription; readonly source: string }
  | { readonly type: 'not-described'; readonly message: string }
  | ({ readonly type: 'ask'; readonly run: number; readonly ask: number } & Question)
  | { readonly type: 'text'; readonly run: number; readonly delta: string }
  | {
      readonly type: 'log';
      readonly run: number;
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: object;
      readonly message?: string | undefined;
    }
  | { readonly type: 'done'; readonly run: number; readonly result: JsonText }
  | { readonly type: 'failed'; readonly run: number; readonly error: SentError }
  | { readonly type: 'pong' }
  /** An error that nobody caught. The process ends with it. */
  | { readonly type: 'uncaught'; readonly message: string | undefined };

/** What a run needs of the attempt that it belongs to. */
export type Question =
  | { readonly what: 'finished'; readonly path: string }
  | { readonly what: 'start'; readonly path: string }
  | { readonly what: 'finish'; readonly path: string; readonly output: JsonText }
  | { readonly what: 'fail'; readonly path: string; readonly error: SentError }
  | { readonly what: 'call'; readonly path: string; readonly workerId: string; readonly input: JsonText };

export type Answer =
  | { readonly ok: true; readonly value?: JsonText | undefined }
  | { readonly ok: false; readonly error: SentError };

/** An error on its way. One that came from the gateway keeps its number, so that it comes back as what it was. */
export interface SentError {
  readonly ref?: number;
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
}
