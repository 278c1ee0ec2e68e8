import type { ExecutionView } from '../executions/execution-view.js';
import type { ExecutionMode } from '../calls/call-modes.js';
import type { LimitRefusal } from '../rate-limits/limiter.js';
import type { InputFault } from '../workers/worker-run.js';
import type { ClientCertificate } from './rules/client-certificate.js';
import type { HandshakeAnswer } from './verify/provider/handshake.js';

/** A request as the transport hands it over: raw bytes, raw headers. */
export interface IncomingCall {
  /** The id as it stood in the URL, unchecked. */
  readonly webhookId: string;
  /** GET only for senders' handshakes. */
  readonly method: 'POST' | 'GET';
  /** Path and query as they came: some senders sign them. */
  readonly target: string;
  /** Names and values in turn, as they came (Node's `rawHeaders`): a header sent twice shows twice. */
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  /** The caller's address, after trusted proxies. */
  readonly sourceIp: string;
  /** Finds the caller's verified client certificate; reading one takes time, and few webhooks ask for it. */
  readonly clientCertificate?: (() => ClientCertificate | undefined) | undefined;
  /** A test of the admin API: it comes over no connection, so it has no address and no certificate to check. */
  readonly isTest: boolean;
}

/** One execution that a call started. */
export interface StartedExecution {
  readonly executionId: string;
  readonly workerId: string;
}

export interface AcceptedCall {
  readonly callId: string;
  readonly webhookId: string;
  /** How it is answered: the webhook's mode, or what the caller preferred. */
  readonly executionMode: ExecutionMode;
  readonly executions: readonly StartedExecution[];
  /** For the header `Preference-Applied`: what was done of what the caller preferred. */
  readonly preferenceApplied?: string;
  /** It came before under the same idempotency key: the call and its executions are those of the first time. */
  readonly isRepeat?: true;
  /** Its place in its webhook's queue: 0 runs now; only with flow control. */
  readonly queuePosition?: number | undefined;
}

/** What became of a POST. The route is the only place that knows a status code for it. */
export type AcceptOutcome =
  /** Stored; an async caller is answered now. */
  | { readonly type: 'accepted'; readonly call: AcceptedCall }
  /** Stored, and the sync deadline passed before the executions ended; the work goes on. */
  | { readonly type: 'deadline'; readonly call: AcceptedCall }
  /** Stored, run, and every execution is terminal; in the order of the webhook's workers. */
  | { readonly type: 'completed'; readonly call: AcceptedCall; readonly executions: readonly ExecutionView[] }
  /** Stored and run, and what did not succeed found no room at a model within the time that the caller waits. */
  | {
      readonly type: 'model-limited';
      readonly call: AcceptedCall;
      readonly executions: readonly ExecutionView[];
      readonly retryAfterMs: number;
    }
  /** A sender tried the address; nothing was started. */
  | { readonly type: 'handshake'; readonly webhookId: string; readonly answer: HandshakeAnswer }
  /** A GET that is no handshake. */
  | { readonly type: 'method-not-allowed' }
  | { readonly type: 'malformed-id' }
  | { readonly type: 'not-found' }
  | { readonly type: 'unauthenticated'; readonly webhookId: string }
  /** The caller's address is not one of the webhook's; its credential was not looked at. */
  | { readonly type: 'address-not-allowed'; readonly webhookId: string }
  | { readonly type: 'inactive'; readonly webhookId: string }
  | { readonly type: 'rate-limited'; readonly webhookId: string; readonly refusal: LimitRefusal }
  /** Larger than the webhook takes by now; what is known to be larger beforehand is not even read. */
  | { readonly type: 'too-large'; readonly webhookId: string; readonly bytesMax: number }
  | { readonly type: 'unsupported-media-type'; readonly webhookId: string; readonly detail: string }
  | { readonly type: 'malformed-body'; readonly webhookId: string; readonly detail: string }
  /** The webhook's filter does not take it: nothing was started, and its sender need not know. */
  | { readonly type: 'ignored'; readonly webhookId: string; readonly executionMode: ExecutionMode }
  | { readonly type: 'invalid-input'; readonly webhookId: string; readonly faults: readonly InputFault[] }
  /** The Idempotency-Key header is not one. */
  | { readonly type: 'malformed-idempotency-key'; readonly webhookId: string }
  /** The idempotency key came before with another body. */
  | { readonly type: 'idempotency-mismatch'; readonly webhookId: string }
  /** Too many calls wait to be stored. Nothing was accepted. */
  | { readonly type: 'overloaded'; readonly retryAfterMs: number }
  /** The database did not confirm the commit. */
  | { readonly type: 'unavailable'; readonly retryAfterMs: number };
