import { createHmac } from 'node:crypto';

const CONNECTIONS = 64;

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly answers: number;
}

/** A real-looking event of about 900 bytes; no two are the same. */
export function orderEvent(n: number): string {
  return JSON.stringify({
    event: 'order.created',
    id: `evt_${n}`,
    createdAt: new Date().toISOString(),
    order: {
      id: 482_113 + n,
      currency: 'EUR',
      customer: { id: 99_812, email: 'ada@example.com', name: 'Ada Lovelace', locale: 'en-GB' },
      items: Array.from({ length: 6 }, (_, i) => ({
        sku: `SKU-${1000 + i}`,
        name: `An article with a name of some length, no. ${i}`,
        quantity: i + 1,
        unitPrice: 19.9 + i,
      })),
      shipping: { line1: "12 St James's Square", city: 'London', postcode: 'SW1Y 4JH', country: 'GB' },
      note: 'Leave with the neighbour, please. – Merci!',
    },
  });
}

/**
 * Sends events over 64 connections as fast as answers come, as 64 senders do: each event has a body and an HMAC of its
 * own and goes out with `fetch`. Anything but a 202 is an error.
 *
 * The senders share the machine with what they measure. A generator that replays one request is lighter and makes a
 * bare server look faster by more than the gateway; the CPU time a call that the bench prints is free of that.
 */
export async function load(
  url: string,
  secret: string,
  limit: { readonly seconds: number } | { readonly amount: number },
): Promise<LoadResult> {
  const latenciesMs: number[] = [];
  const startMs = performance.now();
  const endMs = 'seconds' in limit ? startMs + limit.seconds * 1000 : Infinity;
  const amount = 'amount' in limit ? limit.amount : Infinity;
  let sent = 0;
  const connection = async (): Promise<void> => {
    while (sent < amount && performance.now() < endMs) {
      sent += 1;
      const body = orderEvent(sent);
      const signature = createHmac('sha256', secret).update(body).digest('hex');
      const sentMs = performance.now();
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-webhook-signature': `sha256=${signature}` },
        body,
      });
      const answer = await response.text();
      if (response.status !== 202) throw new Error(`answered ${response.status}: ${answer}`);
      latenciesMs.push(performance.now() - sentMs);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, connection));
  const seconds = (performance.now() - startMs) / 1000;
  const sorted = Float64Array.from(latenciesMs).toSorted();
  const percentile = (share: number): number => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? 0);
  return {
    perSecond: sorted.length / seconds,
    p50Ms: percentile(0.5),
    p99Ms: percentile(0.99),
    answers: sorted.length,
  };
}
