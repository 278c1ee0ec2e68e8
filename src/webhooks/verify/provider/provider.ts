/** How bytes are written as text. */
export type Encoding = 'hex' | 'base64';

/** Where a signature stands in its header: `t=1,v1=ab,v1=cd` is `{ item: ',', kv: '=', field: 'v1' }`. */
export interface Extract {
  /** What separates the items; without it the header is one item. */
  readonly item?: string;
  /** What separates an item's name from its value: the first such character, for base64 may end in `=`. */
  readonly kv: string;
  /** The items that are signatures; others are left alone. */
  readonly field: string;
}

/** When a request was signed, and how far from now that may be, to both sides. */
export interface TimestampRule {
  /** `signature`: an item of the signature's header. `body`: a member of the JSON body, which the signature covers. */
  readonly from: 'header' | 'signature' | 'body';
  readonly name: string;
  readonly unit: 's' | 'ms' | 'iso';
  readonly toleranceMs: number;
}

interface SignedScheme {
  readonly header: string;
  readonly enc: Encoding;
  /** Without it the header is the signature. */
  readonly extract?: Extract;
  readonly ts?: TimestampRule;
  /**
   * What is signed, with `{body}`, `{escapedBody}` (non-ASCII as `\u00e4`), `{timestamp}`, `{id}`, `{method}`, `{url}`
   * and `{formParameters}` (sorted, names and values without anything between). Any of several will do.
   */
  readonly base: readonly string[];
  /** The header of `{id}`. */
  readonly idHeader?: string;
  /**
   * How the URL is written in `{url}`. `any-port`: as called, without its port, or with the standard one.
   * `decoded`: with what HubSpot decodes of percent-escapes. Without it: as called.
   */
  readonly url?: 'any-port' | 'decoded';
  /** The body is not signed itself but by its hex SHA-256 in this parameter of the signed URL, unless it is a form. */
  readonly bodyHashParameter?: string;
}

export interface HmacScheme extends SignedScheme {
  readonly scheme: 'hmac';
  readonly alg: 'sha1' | 'sha256' | 'sha512';
  /** How the secret's text becomes the key; without it, its bytes are the key. */
  readonly key?: { readonly enc: Encoding; readonly strip: string };
}

/** The webhook's secret is the sender's public key. */
export interface AsymmetricScheme extends SignedScheme {
  readonly scheme: 'asymmetric';
  /** Ed25519: the key is its 32 bytes. ECDSA P-256 with SHA-256: the key is SPKI, the signature DER. */
  readonly alg: 'ed25519' | 'ecdsa-p256';
  readonly key: { readonly enc: Encoding };
}

/** The request carries the secret itself. */
export interface TokenScheme {
  readonly scheme: 'token';
  /** A header, or a {@link valuesAt path} in the body where each value must be the secret. */
  readonly from: 'header' | 'body';
  readonly name: string;
}

export type Scheme = HmacScheme | AsymmetricScheme | TokenScheme;

/** What a sender asks of an address before, or besides, real calls. */
export type HandshakeKind =
  | 'github-ping'
  | 'slack-url-verification'
  | 'zoom-url-validation'
  | 'discord-ping'
  | 'meta-subscribe'
  | 'graph-validation-token'
  | 'woocommerce-ping';

/** By what a delivery that comes again is known. */
export interface DedupRule {
  /** The first that is there. */
  readonly headers?: readonly string[];
  /** A header that is part of the id: one event can come under several topics. */
  readonly within?: string;
  /** {@link valuesAt Paths} in the body: the first is the id, further ones tell apart what has the same. */
  readonly body?: readonly [string, ...string[]];
  /** Last, the hash of the body. */
  readonly hash?: boolean;
}

/** All that is known of a sender: data, read by one verifier. */
export interface Provider {
  /** Stands in the API and in the database, so it may not change. */
  readonly id: string;
  readonly name: string;
  /** A request that satisfies one of them is genuine. */
  readonly schemes: readonly [Scheme, ...Scheme[]];
  /**
   * `sender`: the sender makes the secret (or has a public key) and the user brings it here. `sender-later`: it does so
   * only once it has the URL, so the webhook comes first, with a secret that stands in for it.
   */
  readonly secretFrom: 'sender' | 'sender-later' | 'user';
  /** What a secret must look like, where a wrong one can be known at once. */
  readonly secretForm?: { readonly pattern: RegExp; readonly description: string };
  readonly dedup: DedupRule;
  readonly handshake?: HandshakeKind;
  /** It sends JSON arrays, too. */
  readonly sendsArrays?: true;
  /** It sends forms, too: workers get them as a JSON object. */
  readonly sendsForms?: true;
  /** What to do at the sender, in plain text. */
  readonly setup: string;
}

/** A request as a sender signed it. */
export interface ProviderRequest {
  readonly method: string;
  /** The base of our URLs as the sender knows them, without a trailing slash. */
  readonly publicUrl: string;
  /** Path and query as they came. */
  readonly target: string;
  /** Names and values in turn, as they came. */
  readonly rawHeaders: readonly string[];
  readonly body: Uint8Array;
}
