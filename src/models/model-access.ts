import type { OutboundClient } from '../outbound/outbound-client.js';
import type { CallableModel } from './model-cache.js';
import { baseUrlOf } from './provider-urls.js';
import type { ProviderAccess } from './sdk/stream-step.js';

/**
 * Bytes that a provider's answer may have on the wire. The texts of an answer are bounded where they are used; what a
 * model thinks and what it gives to tools is not, and one that goes on for ever would fill the memory. The longest
 * answers that models give, 128,000 tokens in events of some 300 bytes, are 40 MB.
 */
const RESPONSE_BYTES_MAX = 67_108_864;

/** How a model's provider is reached. The operator's own may be anywhere, others pass the guard. */
export function accessTo(model: CallableModel, outbound: Pick<OutboundClient, 'fetchWith'>): ProviderAccess {
  const { provider, modelName, apiKey, structuredOutputs, isOperators } = model;
  const baseUrl = baseUrlOf(provider, model.baseUrl);
  const trustedOrigins = isOperators ? [new URL(baseUrl).origin] : [];
  const fetch = outbound.fetchWith({ trustedOrigins, responseBytesMax: RESPONSE_BYTES_MAX });
  return { provider, baseUrl, modelName, apiKey, structuredOutputs, fetch };
}
