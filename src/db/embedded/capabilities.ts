import { readFileSync } from 'node:fs';

export type Capability = 'dac_override' | 'dac_read_search';

/** Bit numbers from `linux/capability.h`. */
const BITS: Readonly<Record<Capability, bigint>> = { dac_override: 1n, dac_read_search: 2n };

/** Which of the capabilities to pass over file modes this process can hand on: none outside Linux. */
export function heldCapabilities(): ReadonlySet<string> {
  if (process.platform !== 'linux') return new Set();
  const status = readFileSync('/proc/self/status', 'latin1');
  const held = maskOf(status, 'CapPrm') & maskOf(status, 'CapBnd');
  return new Set(Object.entries(BITS).flatMap(([name, bit]) => ((held >> bit) & 1n ? [name] : [])));
}

function maskOf(status: string, field: string): bigint {
  const hex = new RegExp(`^${field}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0';
  return BigInt(`0x${hex}`);
}
