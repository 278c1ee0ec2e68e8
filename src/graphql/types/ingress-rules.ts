import { Field, InputType, ObjectType } from 'type-graphql';
import type { CertificateRule } from '../../webhooks/rules/certificate-rules.js';
import type { IngressRulesInput } from '../../webhooks/rules/ingress-rules.js';

const FINGERPRINT = 'SHA-256 of the certificate in hex, as `openssl x509 -fingerprint -sha256` prints it.';
const SUBJECT =
  'Attributes that the subject has, in any order, such as `CN=client-*,O=Acme`; `*` alone is any verified certificate.';
const NAME =
  'A subject alternative name with its kind, such as `DNS:*.partner.example`, `URI:spiffe://acme/ns/*`, `EMAIL:…` or `IP:…`.';

@ObjectType('ClientCertificateRule', {
  description: 'Which client certificates may call: those that fit all that it says.',
})
export class ClientCertificateRuleObject implements CertificateRule {
  @Field(() => String, { nullable: true, description: FINGERPRINT })
  readonly fingerprint?: string | null | undefined;

  @Field(() => String, { nullable: true, description: SUBJECT })
  readonly subject?: string | null | undefined;

  @Field(() => String, { nullable: true, description: NAME })
  readonly name?: string | null | undefined;
}

@InputType('ClientCertificateRuleInput', {
  description:
    'Which client certificates may call: those that fit all that it says. `*` stands for one or more characters but full stops and slashes.',
})
export class ClientCertificateRuleInput implements CertificateRule {
  @Field(() => String, { nullable: true, description: FINGERPRINT })
  fingerprint?: string | null;

  @Field(() => String, { nullable: true, description: SUBJECT })
  subject?: string | null;

  @Field(() => String, { nullable: true, description: NAME })
  name?: string | null;
}

/** The fields of a webhook's rules, for the inputs that have them. */
export const RULE_FIELDS = {
  allowedCidrs: {
    nullable: true,
    description:
      'Addresses and CIDRs, IPv4 or IPv6, 200 at most, from which calls may come, as trusted proxies say it; others get 403. Null or empty for all.',
  },
  clientCertificates: {
    nullable: true,
    description:
      'The client certificates with which calls may come, besides the credential: one of these, 100 at most. Null or empty to ask for none.',
  },
  filter: {
    nullable: true,
    description:
      'A condition in LiquidJS on `input` (the body) and `headers` (names in lower case), such as `input.action == "opened"`, at most 2,000 characters. Calls that do not meet it are answered 200 with `ignored: true` and not run. Null for none.',
  },
  bodyBytesMax: {
    nullable: true,
    description: "The largest body, in bytes; null for the installation's setting.",
  },
  acceptAnyJson: {
    nullable: true,
    description: 'Whether scalars, arrays and empty bodies (as `null`) will do besides JSON objects.',
  },
};

/** The rules of an input; what was left out stays out. */
export function ingressRules(input: IngressRulesInput): IngressRulesInput {
  const { allowedCidrs, clientCertificates, filter, bodyBytesMax, acceptAnyJson } = input;
  return { allowedCidrs, clientCertificates, filter, bodyBytesMax, acceptAnyJson };
}
