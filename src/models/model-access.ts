import type { OutboundClient } from '../outbound/outbound-client.js';
import type { CallableModel } from './model-cache.js';
import { baseUrlOf } from './provider-urls.js';
import type { ProviderAccess } from './sdk/stream-step.js';

/** How a model's provider is reached. The operator's own may be anywhere, others pass the guard. */
export function accessTo(model: CallableModel, outbound: Pick<OutboundClient, 'fetch' | 'fetchWith'>): ProviderAccess {
  const { provider, modelName, apiKey, structuredOutputs, isOperators } = model;
  const baseUrl = baseUrlOf(provider, model.baseUrl);
  const fetch = isOperators ? outbound.fetchWith({ trustedOrigins: [new URL(baseUrl).origin] }) : outbound.fetch;
  return { provider, baseUrl, modelName, apiKey, structuredOutputs, fetch };
}
