import { createHmac } from 'node:crypto';
import autocannon from 'autocannon';

const CONNECTIONS = 64;

/** A real-looking event of about 900 bytes. */
export const BODY = JSON.stringify({
  event: 'order.created',
  id: 'evt_1PqRsTuVwXyZ',
  createdAt: '2026-11-23T10:00:00.000Z',
  order: {
    id: 482_113,
    currency: 'EUR',
    customer: { id: 99_812, email: 'ada@example.com', name: 'Ada Lovelace', locale: 'en-GB' },
    items: Array.from({ length: 6 }, (_, i) => ({ sku: `SKU-${1000 + i}`, quantity: i + 1, unitPrice: 19.9 + i })),
    shipping: { line1: '12 St James Square', city: 'London', postcode: 'SW1Y 4JH', country: 'GB' },
    note: 'Leave with the neighbour, please. – Merci!',
  },
});

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answers: number;
}

/** Sends the body over 64 connections as fast as answers come. Anything but a 202 is an error. */
export async function load(
  url: string,
  secret: string,
  limit: { seconds: number } | { amount: number },
): Promise<LoadResult> {
  const signature = createHmac('sha256', secret).update(BODY).digest('hex');
  const result = await autocannon({
    url,
    connections: CONNECTIONS,
    ...('seconds' in limit ? { duration: limit.seconds } : { amount: limit.amount }),
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-webhook-signature': `sha256=${signature}` },
    body: BODY,
  });
  const good = result.statusCodeStats?.['202']?.count ?? 0;
  if (result.errors > 0 || result.non2xx > 0 || good !== result['2xx']) {
    throw new Error(`unexpected answers: ${JSON.stringify(result.statusCodeStats)}, ${result.errors} errors`);
  }
  return {
    perSecond: good / result.duration,
    p50Ms: result.latency.p50,
    p99Ms: result.latency.p99,
    answers: good,
  };
}
