import { AppError } from '../../errors.js';
import type { UserError } from '../../lib/user-error.js';
import { compileCondition } from '../../templates/template.js';
import { parseNetwork } from './address-list.js';
import { certificateFaults } from './certificate-rules.js';
import { filterFormFault } from './filter-form.js';
import type { IngressRulesInput } from './ingress-rules.js';

const CIDRS_MAX = 200;
const FILTER_CHARACTERS_MAX = 2_000;

/**
 * What is wrong with a webhook's rules.
 *
 * @param bodyBytesCeiling the largest body that a webhook may ask for.
 */
export function rulesFaults(input: IngressRulesInput, bodyBytesCeiling: number): readonly UserError[] {
  return [
    ...addressFaults(input.allowedCidrs ?? []),
    ...certificateFaults(['clientCertificates'], input.clientCertificates ?? []),
    ...filterFaults(input.filter ?? ''),
    ...bodyBytesFaults(input.bodyBytesMax ?? null, bodyBytesCeiling),
  ];
}

function addressFaults(entries: readonly string[]): readonly UserError[] {
  const field = ['allowedCidrs'];
  if (entries.length > CIDRS_MAX) {
    return [{ field, message: `A webhook has at most ${CIDRS_MAX} addresses and CIDRs.`, code: 'TOO_MANY' }];
  }
  return entries.flatMap((entry, i) => {
    if (parseNetwork(entry) !== undefined) return [];
    const message = 'This is no IP address and no CIDR such as 192.0.2.0/24 or 2001:db8::/32.';
    return [{ field: [...field, String(i)], message, code: 'INVALID_CIDR' }];
  });
}

function filterFaults(filter: string): readonly UserError[] {
  const field = ['filter'];
  if (filter.trim() === '') return [];
  if (filter.length > FILTER_CHARACTERS_MAX) {
    return [{ field, message: `A filter has at most ${FILTER_CHARACTERS_MAX} characters.`, code: 'TOO_LONG' }];
  }
  if (filter.includes('\0') || !filter.isWellFormed()) {
    return [{ field, message: 'This has characters in it that cannot be stored.', code: 'INVALID_CHARACTERS' }];
  }
  const fault = filterFormFault(filter.trim().replace(/^\{\{-?(.*?)-?\}\}$/s, '$1'));
  if (fault !== undefined) return [{ field, message: fault, code: 'INVALID_FILTER' }];
  try {
    compileCondition(filter);
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [{ field, message: error.message, code: 'INVALID_FILTER' }];
  }
}

function bodyBytesFaults(bodyBytesMax: number | null, ceiling: number): readonly UserError[] {
  if (bodyBytesMax === null || (bodyBytesMax >= 1 && bodyBytesMax <= ceiling)) return [];
  const message = `A webhook takes bodies of 1 to ${ceiling} bytes here.`;
  return [{ field: ['bodyBytesMax'], message, code: 'OUT_OF_RANGE' }];
}
