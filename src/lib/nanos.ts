const NANOS = 1_000_000_000n;

const DECIMAL = /^(?<whole>\d{1,9})(?:\.(?<fraction>\d{1,9}))?$/;

/** Prints billionths as a decimal number, without zeros at its end. */
export function printNanos(nanos: bigint): string {
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = (size % NANOS).toString().padStart(9, '0').replace(/0+$/, '');
  return `${sign}${size / NANOS}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Reads a decimal number below a thousand million as billionths; `undefined` for what is not one, or is negative. */
export function parseNanos(text: string): bigint | undefined {
  const parts = DECIMAL.exec(text)?.groups;
  if (parts === undefined) return undefined;
  return BigInt(parts['whole']!) * NANOS + BigInt((parts['fraction'] ?? '').padEnd(9, '0'));
}
