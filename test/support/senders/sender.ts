/** What a sender sends to one address. */
export interface SenderRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  /** With the query that the sender adds. */
  readonly url: string;
}

export interface SignOptions {
  readonly url: string;
  /** When it is signed, Unix milliseconds. */
  readonly atMs: number;
}

/** How a sender signs, by its own library where that can. None of this is code that the gateway has. */
export interface Sender {
  readonly provider: string;
  /** What the user brings to the gateway, and another of the same kind: a public key where the sender has a private one. */
  readonly secrets: readonly [string, string];
  readonly body: string;
  readonly sign: (secret: string, body: string, options: SignOptions) => SenderRequest | Promise<SenderRequest>;
  /** The sender's own library, as its users call it; for now only. */
  readonly accepts?: (secret: string, request: SenderRequest) => boolean | Promise<boolean>;
  /** How far a time may be off; `undefined` for a sender that sends none. */
  readonly toleranceMs?: number;
  /** Puts a signature before the present one, where the sender sends several. */
  readonly withAnother?: (request: SenderRequest, other: SenderRequest) => SenderRequest;
  /** It sends the secret itself, so that nothing shows whether the body is its own. */
  readonly sendsSecret?: true;
  /** The header of the proof; `undefined` when it stands in the body. */
  readonly header?: string;
}

export const JSON_HEADERS = { 'Content-Type': 'application/json' } as const;
