import type { AcceptOutcome, IncomingCall } from '../accept-outcome.js';
import type { Refusal } from '../note-rejected.js';
import type { IngressWebhook } from '../read-ingress-webhooks.js';
import { fitsCertificateRules } from './certificate-rules.js';
import type { CompiledRules } from './compiled-rules.js';

/** A call that its webhook's rules turn away, whatever its credential is. */
export interface Barred {
  readonly outcome: AcceptOutcome;
  readonly refusal: Refusal;
}

/** From where and with which certificate a request came. */
export type Caller = Pick<IncomingCall, 'sourceIp' | 'clientCertificate'>;

/**
 * Whether the caller's address or certificate is not among those that the webhook takes. It is asked before the
 * credential is looked at, and that is not looked at then: the answer to a stranger must not tell whether the secret
 * was right. A missing certificate is answered like a wrong secret, an address has its own answer.
 */
export function barredBy({ id, rules }: Pick<IngressWebhook, 'id' | 'rules'>, caller: Caller): Barred | undefined {
  if (rules.allowsAddress !== undefined && !rules.allowsAddress(caller.sourceIp)) {
    return {
      outcome: { type: 'address-not-allowed', webhookId: id },
      refusal: {
        outcome: 'REJECTED_ADDRESS',
        httpStatus: 403,
        reason: `the address ${caller.sourceIp || 'of the caller'} is not in allowedCidrs`,
      },
    };
  }
  const fault = certificateFault(rules, caller);
  if (fault === undefined) return undefined;
  return {
    outcome: { type: 'unauthenticated', webhookId: id },
    refusal: { outcome: 'REJECTED_AUTHENTICATION', httpStatus: 401, ...fault },
  };
}

/** For the webhook's owner, in words and for programs. */
interface CertificateFault {
  readonly reason: string;
  readonly code: string;
}

function certificateFault({ clientCertificates }: CompiledRules, caller: Caller): CertificateFault | undefined {
  if (clientCertificates === undefined) return undefined;
  const certificate = caller.clientCertificate?.();
  if (certificate === undefined) {
    const reason = 'no client certificate came, or none that was verified';
    return { reason, code: 'CLIENT_CERTIFICATE_MISSING' };
  }
  if (fitsCertificateRules(certificate, clientCertificates)) return undefined;
  const shown = [...certificate.subject, certificate.fingerprint].filter((part) => part !== '').join(', ');
  return { reason: `the client certificate (${shown}) fits no rule`, code: 'CLIENT_CERTIFICATE_NOT_ALLOWED' };
}
