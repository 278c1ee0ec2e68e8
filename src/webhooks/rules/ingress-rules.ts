import { isDeepStrictEqual } from 'node:util';
import { type CertificateRule, plainCertificateRule } from './certificate-rules.js';

/** What a webhook demands of a call besides its credential. What is not there is not demanded. */
export interface IngressRules {
  /** Addresses and CIDRs from which calls may come. */
  readonly allowedCidrs?: readonly string[];
  /** The client certificates that may call: one of them must fit. */
  readonly clientCertificates?: readonly CertificateRule[];
  /** A condition on the body and the headers; calls that miss it are answered and not run. */
  readonly filter?: string;
  /** The largest body, in bytes, instead of the installation's. */
  readonly bodyBytesMax?: number;
  /** Scalars, arrays and an empty body will do, too. */
  readonly acceptAnyJson?: true;
}

/** Rules as a user gives them: what is left out stays as it is, `null` takes a rule away. */
export interface IngressRulesInput {
  readonly allowedCidrs?: readonly string[] | null | undefined;
  readonly clientCertificates?: readonly CertificateRule[] | null | undefined;
  readonly filter?: string | null | undefined;
  readonly bodyBytesMax?: number | null | undefined;
  readonly acceptAnyJson?: boolean | null | undefined;
}

const RULE_NAMES = ['allowedCidrs', 'clientCertificates', 'filter', 'bodyBytesMax', 'acceptAnyJson'] as const;

/** The rules with what the input says of them. An empty list, an empty text and `false` are no rule. */
export function changedRules(rules: IngressRules, input: IngressRulesInput): IngressRules {
  const given = {
    allowedCidrs: input.allowedCidrs,
    clientCertificates: input.clientCertificates?.map(plainCertificateRule) ?? input.clientCertificates,
    filter: input.filter?.trim() ?? input.filter,
    bodyBytesMax: input.bodyBytesMax,
    acceptAnyJson: input.acceptAnyJson,
  };
  const merged: Record<string, unknown> = { ...rules };
  for (const name of RULE_NAMES) {
    const value = given[name];
    if (value === undefined) continue;
    if (isNoRule(value)) delete merged[name];
    else merged[name] = value;
  }
  return merged;
}

function isNoRule(value: unknown): boolean {
  return value === null || value === false || value === '' || (Array.isArray(value) && value.length === 0);
}

/** The names of the rules in which two sets of them differ. */
export function differingRules(before: IngressRules, after: IngressRules): string[] {
  return RULE_NAMES.filter((name) => !isDeepStrictEqual(before[name], after[name]));
}
