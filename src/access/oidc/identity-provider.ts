import * as oidc from 'openid-client';
import { AppError, messageOf } from '../../errors.js';

export interface IdentityProviderOptions {
  /** The issuer's identifier: where `/.well-known/openid-configuration` lies. */
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Where the provider sends browsers back to; registered there. */
  readonly redirectUri: () => string;
}

/** What a browser keeps between leaving for the provider and coming back. */
export interface PendingSignIn {
  readonly state: string;
  readonly nonce: string;
  /** PKCE's (RFC 7636). */
  readonly verifier: string;
}

/** Who somebody is at the provider. */
export interface Identity {
  readonly issuer: string;
  /** The issuer's name for them, which never changes. */
  readonly subject: string;
  /** Only when the issuer says that it has verified it. */
  readonly email: string | undefined;
  readonly name: string | undefined;
}

/** The provider's answers are small documents. */
const TIMEOUT_S = 10;

const SCOPE = 'openid email profile';

/**
 * Signing in at an OpenID Connect provider: the authorization code flow with PKCE, state and nonce (OpenID Connect
 * Core 1.0, 3.1; RFC 9700). The provider is looked up when somebody first signs in, so that one that is away does not
 * keep a gateway from starting.
 */
export class IdentityProvider {
  readonly #options: IdentityProviderOptions;
  #configuration: Promise<oidc.Configuration> | undefined;

  constructor(options: IdentityProviderOptions) {
    this.#options = options;
  }

  /**
   * Where to send a browser.
   *
   * @throws AppError IDENTITY_PROVIDER_FAILED when the provider cannot be reached.
   */
  async begin(): Promise<{ readonly url: string; readonly pending: PendingSignIn }> {
    const configuration = await this.#discover();
    const pending = { state: oidc.randomState(), nonce: oidc.randomNonce(), verifier: oidc.randomPKCECodeVerifier() };
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: this.#options.redirectUri(),
      scope: SCOPE,
      state: pending.state,
      nonce: pending.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(pending.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, pending };
  }

  /**
   * Exchanges what the browser brought back.
   *
   * @param query the query of the URL that it came to, without the question mark.
   * @throws AppError IDENTITY_REFUSED when it does not fit or the user declined, IDENTITY_PROVIDER_FAILED.
   */
  async finish(query: string, pending: PendingSignIn): Promise<Identity> {
    const configuration = await this.#discover();
    try {
      const tokens = await oidc.authorizationCodeGrant(
        configuration,
        new URL(`${this.#options.redirectUri()}?${query}`),
        {
          expectedState: pending.state,
          expectedNonce: pending.nonce,
          pkceCodeVerifier: pending.verifier,
          idTokenExpected: true,
        },
      );
      const claims = tokens.claims()!;
      const { email, name } = { ...claims, ...(await this.#userInfo(configuration, tokens.access_token, claims)) };
      return {
        issuer: claims.iss,
        subject: claims.sub,
        email: typeof email === 'string' ? email : undefined,
        name: typeof name === 'string' ? name : undefined,
      };
    } catch (error) {
      throw new AppError('IDENTITY_REFUSED', undefined, { cause: error, detail: messageOf(error) });
    }
  }

  /** Many providers give the address only here. */
  async #userInfo(
    configuration: oidc.Configuration,
    accessToken: string,
    claims: oidc.IDToken,
  ): Promise<{ email: unknown; name: unknown }> {
    const known = { email: verifiedEmail(claims), name: claims['name'] };
    if (known.email !== undefined || configuration.serverMetadata().userinfo_endpoint === undefined) return known;
    const info = await oidc.fetchUserInfo(configuration, accessToken, claims.sub);
    return { email: verifiedEmail(info), name: info.name ?? known.name };
  }

  async #discover(): Promise<oidc.Configuration> {
    const { issuer, clientId, clientSecret } = this.#options;
    const url = new URL(issuer);
    this.#configuration ??= oidc.discovery(url, clientId, clientSecret, undefined, {
      timeout: TIMEOUT_S,
      // Settings let a plain http issuer through only on this machine.
      // eslint-disable-next-line typescript/no-deprecated -- marked so to stand out; there is no other way
      ...(url.protocol === 'http:' && { execute: [oidc.allowInsecureRequests] }),
    });
    try {
      return await this.#configuration;
    } catch (error) {
      this.#configuration = undefined; // the next one who signs in tries again
      throw new AppError('IDENTITY_PROVIDER_FAILED', undefined, { cause: error, detail: messageOf(error) });
    }
  }
}

function verifiedEmail(claims: Readonly<Record<string, unknown>>): string | undefined {
  const { email, email_verified: isVerified } = claims;
  return isVerified === true && typeof email === 'string' ? email : undefined;
}
