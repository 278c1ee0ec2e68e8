import { type AddressList, addressList } from './address-list.js';
import type { CertificateRule } from './certificate-rules.js';
import { type CallFilter, compileFilter } from './filter.js';
import type { IngressRules } from './ingress-rules.js';

/** A webhook's rules, ready for its calls: made once for each version of it that a process reads. */
export interface CompiledRules {
  readonly allowsAddress?: AddressList;
  readonly clientCertificates?: readonly CertificateRule[];
  readonly filter?: CallFilter;
  readonly bodyBytesMax?: number;
  readonly acceptAnyJson?: true;
}

/** Shared by all webhooks without rules. */
const NO_RULES: CompiledRules = {};

export function compileRules(rules: IngressRules): CompiledRules {
  const { allowedCidrs, filter, ...asTheyAre } = rules;
  if (Object.keys(rules).length === 0) return NO_RULES;
  return {
    ...asTheyAre,
    ...(allowedCidrs !== undefined && { allowsAddress: addressList(allowedCidrs) }),
    ...(filter !== undefined && { filter: compileFilter(filter) }),
  };
}
