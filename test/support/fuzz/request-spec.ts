import type { GeneratedBody } from './json-bodies.js';

/** Stands in headers, credentials and URLs, as a secret that must show up nowhere. */
export const CANARY = 'canary-beside-the-body-93ab';

/** The webhooks of a run, by what is special about them. */
export type Target = 'signed' | 'secret' | 'bearer' | 'sync' | 'inactive';

/** What is presented in the header that the webhook looks at. */
export type Credential = 'right' | 'missing' | 'twice' | 'of another body' | { readonly value: string };

export type Transfer =
  | { readonly type: 'length' }
  | {
      readonly type: 'chunks';
      readonly sizes: readonly number[];
      readonly extension: string;
      readonly trailer: string;
    };

/** A POST to a webhook in well-formed HTTP; what is wrong with it, if anything, is for the gateway to tell. */
export interface CallSpec {
  readonly kind: 'call';
  readonly target: Target | 'unknown' | 'malformed';
  readonly malformedId: string;
  readonly absoluteForm: boolean;
  readonly query: string;
  readonly credential: Credential;
  readonly contentType: { readonly value: string | undefined; readonly json: boolean };
  readonly contentEncoding: string | undefined;
  readonly body: GeneratedBody;
  readonly transfer: Transfer;
  readonly expectContinue: boolean;
  readonly noise: readonly string[];
  /** Whether the next request is sent without waiting for the answer to this one. */
  readonly pipelined: boolean;
}

/** Another request in well-formed HTTP. */
export interface OtherSpec {
  readonly kind: 'other';
  readonly method: string;
  readonly target: string;
  readonly noise: readonly string[];
  readonly statuses: readonly number[];
}

/** A call with something done to its bytes. Ends its connection. */
export interface BrokenSpec {
  readonly kind: 'broken';
  readonly call: CallSpec;
  readonly damage:
    | { readonly type: 'line'; readonly line: string; readonly status: number }
    | { readonly type: 'chunk'; readonly bytes: string }
    | {
        readonly type: 'bytes';
        readonly edits: readonly (readonly [at: number, removed: number, inserted: Uint8Array])[];
      }
    | { readonly type: 'cut'; readonly at: number; readonly reset: boolean }
    | { readonly type: 'noise'; readonly bytes: Uint8Array };
}

/** A request to the webhook of a known sender, in well-formed HTTP and never rightly signed. */
export interface SenderSpec {
  readonly kind: 'sender';
  readonly provider: string;
  readonly method: string;
  readonly query: string;
  readonly contentType: string;
  readonly lines: readonly string[];
  readonly body: Uint8Array;
}

export type RequestSpec = CallSpec | OtherSpec | SenderSpec | BrokenSpec;

/** Refused, by its method too; 200 is for those who only ask whether an address is there, as two senders do unsigned. */
export const SENDER_STATUSES: readonly number[] = [200, 401, 405];

/** The one status that the contract gives for a call, the first rule that it breaks; several when bytes are random. */
export function statusesOf(spec: CallSpec): readonly number[] {
  if (spec.target === 'malformed') return spec.absoluteForm ? [400, 404] : [400]; // an absolute URL is normalised: /a/.. is /
  if (spec.target === 'unknown') return [404];
  if (spec.credential !== 'right') return [401];
  if (spec.target === 'inactive') return [403];
  if (!spec.contentType.json || spec.contentEncoding !== undefined) return [415];
  const accepted = spec.target === 'sync' ? 200 : 202;
  if (spec.body.verdict === 'either') return [accepted, 400];
  return [spec.body.verdict === 'accepted' ? accepted : 400];
}
