import type { DomainEvent } from './event.js';

/** The channel that every process listens on. */
export const CHANNEL = 'workhook_events';

/** PostgreSQL refuses a NOTIFY payload of 8,000 bytes or more. */
const PAYLOAD_BYTES_MAX = 7_900;

/** An event on the wire: a letter for its kind, then its ids. All of it is ASCII, so characters are bytes. */
type WireEvent = readonly [letter: string, ...rest: (string | number)[]];

function toWire(event: DomainEvent): WireEvent {
  switch (event.kind) {
    case 'call-received':
      return ['c', event.callId, event.webhookId];
    case 'call-finished':
      return ['f', event.callId, event.webhookId];
    case 'execution-changed':
      return ['x', event.executionId, event.callId, event.webhookId, event.seq];
    case 'cancel-requested':
      return ['a', event.executionId];
    case 'bulk-changed':
      return ['b', event.bulkOperationId];
    case 'alert-changed':
      return ['l', event.alertId, event.webhookId];
    case 'execution-progressed':
      return ['s', event.executionId, event.callId, event.webhookId, event.seq];
    case 'webhook-changed':
      return ['w', event.webhookId];
    case 'worker-changed':
      return ['k', event.workerId];
    case 'connection-changed':
      return ['o', event.connectionId];
    case 'credential-ended':
      return ['t', event.credentialId];
    case 'user-changed':
      return ['u', event.userId];
    case 'model-changed':
      return ['m', event.modelId];
    case 'spend-cap-changed':
      return ['p', event.webhookId];
    case 'rate-limit-changed':
      return ['r'];
  }
}

function fromWire([letter, first, second, third, fourth]: WireEvent): DomainEvent | undefined {
  const text = String(first);
  switch (letter) {
    case 'c':
      return { kind: 'call-received', callId: text, webhookId: String(second) };
    case 'f':
      return { kind: 'call-finished', callId: text, webhookId: String(second) };
    case 'x':
    case 's':
      return {
        kind: letter === 'x' ? 'execution-changed' : 'execution-progressed',
        executionId: text,
        callId: String(second),
        webhookId: String(third),
        seq: Number(fourth),
      };
    case 'a':
      return { kind: 'cancel-requested', executionId: text };
    case 'b':
      return { kind: 'bulk-changed', bulkOperationId: text };
    case 'l':
      return { kind: 'alert-changed', alertId: text, webhookId: String(second) };
    case 'w':
      return { kind: 'webhook-changed', webhookId: text };
    case 'k':
      return { kind: 'worker-changed', workerId: text };
    case 'o':
      return { kind: 'connection-changed', connectionId: text };
    case 't':
      return { kind: 'credential-ended', credentialId: text };
    case 'u':
      return { kind: 'user-changed', userId: text };
    case 'm':
      return { kind: 'model-changed', modelId: text };
    case 'p':
      return { kind: 'spend-cap-changed', webhookId: text };
    case 'r':
      return { kind: 'rate-limit-changed' };
    default:
      return undefined; // a newer process in a rolling upgrade
  }
}

/** Packs events into as few NOTIFY payloads as fit. A transaction sends them all with one statement. */
export function encodeEvents(events: readonly DomainEvent[]): string[] {
  const payloads: string[] = [];
  let payload = '';
  for (const event of events) {
    const text = JSON.stringify(toWire(event));
    if (payload !== '' && payload.length + text.length + 2 > PAYLOAD_BYTES_MAX) {
      payloads.push(`[${payload}]`);
      payload = '';
    }
    payload = payload === '' ? text : `${payload},${text}`;
  }
  if (payload !== '') payloads.push(`[${payload}]`);
  return payloads;
}

/** Unpacks a payload; what is not ours is nothing. */
export function decodeEvents(payload: string): DomainEvent[] {
  try {
    const list: unknown = JSON.parse(payload);
    if (!Array.isArray(list)) return [];
    return list
      .filter((item): item is WireEvent => Array.isArray(item) && typeof item[0] === 'string')
      .map(fromWire)
      .filter((event) => event !== undefined);
  } catch {
    return []; // anybody with a connection can NOTIFY this channel
  }
}
