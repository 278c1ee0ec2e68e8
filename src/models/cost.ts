/** Nano-dollars for a million tokens. */
export interface ModelPrices {
  readonly prompt: bigint;
  readonly completion: bigint;
  /** `undefined`: cached tokens cost what the others of a prompt do. */
  readonly cached: bigint | undefined;
}

/** Tokens of a step. */
export interface StepTokens {
  /** All that went in, the cached ones included. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

const MILLION = 1_000_000n;

/** What tokens cost, in nano-dollars; rounded once, half up, so that sums of costs are exact. */
export function costNanos(prices: ModelPrices, { promptTokens, completionTokens, cachedTokens }: StepTokens): bigint {
  const fresh = BigInt(Math.max(0, promptTokens - cachedTokens));
  const sum =
    fresh * prices.prompt +
    BigInt(cachedTokens) * (prices.cached ?? prices.prompt) +
    BigInt(completionTokens) * prices.completion;
  return (sum + MILLION / 2n) / MILLION;
}
