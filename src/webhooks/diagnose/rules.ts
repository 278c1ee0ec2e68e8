import type { HmacScheme, ProviderRequest, Scheme } from '../verify/provider/provider.js';
import type { Authentication } from '../verify/verify-credential.js';
import { headerValues } from '../verify/incoming-headers.js';

/** How a webhook is authenticated, the five plain methods in the form of the senders' table. */
export interface Rule {
  readonly scheme: Scheme;
  /** What stands before the credential in its header, where the webhook says it and not the sender's table. */
  readonly prefix: string;
  /** Authentication schemes have no case (RFC 9110, 11.1). */
  readonly anyCase: boolean;
}

/** The rule by which a request is meant: of several, the one whose header came, or else the first. */
export function ruleFor(authentication: Authentication, request: ProviderRequest): Rule {
  const { method, headerName, headerPrefix, provider } = authentication;
  if (provider === undefined) {
    const scheme: Scheme =
      method === 'HMAC_SIGNATURE'
        ? ({ scheme: 'hmac', alg: 'sha256', enc: 'hex', header: headerName, base: ['{body}'] } satisfies HmacScheme)
        : { scheme: 'token', from: 'header', name: headerName };
    return { scheme, prefix: headerPrefix, anyCase: method === 'BEARER_TOKEN' };
  }
  const came = provider.schemes.find((scheme) => {
    const name = headerOf(scheme);
    return name !== undefined && headerValues(request.rawHeaders, name.toLowerCase()).length > 0;
  });
  return { scheme: came ?? provider.schemes[0], prefix: '', anyCase: false };
}

function headerOf(scheme: Scheme): string | undefined {
  if (scheme.scheme !== 'token') return scheme.header;
  return scheme.from === 'header' ? scheme.name : undefined;
}
