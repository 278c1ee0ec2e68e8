import type { ModelProvider } from './model.entity.js';

/** Where the providers are, for models without an address of their own. */
const BASE_URLS: Readonly<Record<ModelProvider, string | undefined>> = {
  OPENAI_COMPATIBLE: undefined,
  OPENAI: 'https://api.openai.com/v1',
  ANTHROPIC: 'https://api.anthropic.com/v1',
  GOOGLE: 'https://generativelanguage.googleapis.com/v1beta',
};

/** What a base URL without a path means: most tools leave the version out, as the providers' own libraries do. */
const VERSION_PATHS: Readonly<Record<ModelProvider, string>> = {
  OPENAI_COMPATIBLE: '/v1',
  OPENAI: '/v1',
  ANTHROPIC: '/v1',
  GOOGLE: '/v1beta',
};

/**
 * The base of a model's API, without a slash at its end: its own, or its provider's.
 *
 * @throws TypeError when neither is there; such a model is not stored.
 */
export function baseUrlOf(provider: ModelProvider, ownUrl: string | null): string {
  const url = new URL(ownUrl ?? BASE_URLS[provider] ?? '');
  if (url.pathname === '/') url.pathname = VERSION_PATHS[provider];
  return url.href.replace(/\/+$/, '');
}

/** Whether a provider is somewhere by itself. */
export function hasHome(provider: ModelProvider): boolean {
  return BASE_URLS[provider] !== undefined;
}
