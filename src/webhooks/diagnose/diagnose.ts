import type { ProviderRequest } from '../verify/provider/provider.js';
import { verifyProvider } from '../verify/provider/verify-provider.js';
import { verifyCredential, type Verification } from '../verify/verify-credential.js';
import { type DiagnosedWebhook, type Diagnosis, diagnosis, isValidSecret } from './diagnosis.js';
import { ruleFor } from './rules.js';
import { type Circumstances, diagnoseSigned } from './signature-diagnosis.js';
import { diagnoseToken } from './token-diagnosis.js';

/**
 * Says in one sentence why a request is not authentic for a webhook, or that it is: a pure function of its arguments,
 * for the webhook's owner only.
 *
 * It shows no secret and no signature, and compares whole values only: nothing in it tells how near a guess was.
 */
export function diagnose(webhook: DiagnosedWebhook, request: ProviderRequest, circumstances: Circumstances): Diagnosis {
  const verification = verify(webhook, request, circumstances.nowMs);
  if (verification.verified) {
    const version = Number(verification.secretId);
    const retiring = webhook.secrets.find((it) => it.version === version)?.status === 'RETIRING';
    const hint = 'The secret is retiring: give the sender the one that is active now.';
    return diagnosis('VALID', `The request is authentic, by version ${version} of the secret.`, retiring ? [hint] : []);
  }
  const rule = ruleFor(webhook.authentication, request);
  const { scheme } = rule;
  return scheme.scheme === 'token'
    ? diagnoseToken(webhook, { ...rule, scheme }, request)
    : diagnoseSigned(webhook, { ...rule, scheme }, request, circumstances);
}

/** As the ingress does it, with the numbers of the versions as ids. */
function verify(webhook: DiagnosedWebhook, request: ProviderRequest, nowMs: number): Verification {
  const { authentication } = webhook;
  const { provider } = authentication;
  const secrets = webhook.secrets
    .filter(isValidSecret)
    .map(({ version, secret }) => ({ id: String(version), secret, expiresAtMs: undefined }));
  return provider === undefined
    ? verifyCredential(authentication, secrets, request.rawHeaders, request.body, nowMs)
    : verifyProvider(provider, secrets, request, nowMs);
}
