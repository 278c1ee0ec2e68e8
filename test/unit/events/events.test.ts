import { describe, expect, it } from '@jest/globals';
import { EventHub } from '../../../src/events/event-hub.js';
import { type DomainEvent, topics } from '../../../src/events/event.js';
import { decodeEvents, encodeEvents } from '../../../src/events/wire.js';
import { newUuidV7 } from '../../../src/lib/ids.js';

const received = (webhookId: string): DomainEvent => ({ kind: 'call-received', callId: newUuidV7(), webhookId });

describe('events on the wire', () => {
  it('carries every kind there and back', () => {
    const events: DomainEvent[] = [
      received(newUuidV7()),
      { kind: 'call-finished', callId: newUuidV7(), webhookId: newUuidV7() },
      { kind: 'execution-changed', executionId: newUuidV7(), callId: newUuidV7(), webhookId: newUuidV7(), seq: 3 },
      { kind: 'execution-progressed', executionId: newUuidV7(), callId: newUuidV7(), webhookId: newUuidV7(), seq: 4 },
      { kind: 'webhook-changed', webhookId: newUuidV7() },
      { kind: 'worker-changed', workerId: 'worker-echo' },
      { kind: 'connection-changed', connectionId: newUuidV7() },
      { kind: 'credential-ended', credentialId: newUuidV7() },
      { kind: 'rate-limit-changed' },
    ];
    expect(encodeEvents(events).flatMap(decodeEvents)).toEqual(events);
  });

  it('keeps every payload below what NOTIFY refuses', () => {
    const events = Array.from({ length: 1_000 }, () => received(newUuidV7()));
    const payloads = encodeEvents(events);
    expect(Math.max(...payloads.map((payload) => Buffer.byteLength(payload)))).toBeLessThan(8_000);
    expect(payloads.flatMap(decodeEvents)).toEqual(events);
  });

  it.each(['', 'nonsense', '{}', '[1,[2]]', '[["?","x"]]'])('takes the foreign payload %j for nothing', (payload) => {
    expect(decodeEvents(payload)).toEqual([]);
  });
});

describe('EventHub', () => {
  it('delivers to the topics of an event only', async () => {
    const hub = new EventHub();
    const mine = hub.subscribe([topics.webhookCalls('a')])[Symbol.asyncIterator]();
    hub.deliver(received('b'));
    hub.deliver(received('a'));
    expect((await mine.next()).value).toMatchObject({ webhookId: 'a' });
    await mine.return?.();
  });

  it('ends every stream when it closes, those that come later too', async () => {
    const hub = new EventHub();
    const waiting = hub.subscribe([topics.calls])[Symbol.asyncIterator]().next();
    hub.close();
    expect(await waiting).toEqual({ done: true, value: undefined });
    const late = hub.subscribe([topics.calls])[Symbol.asyncIterator]();
    expect(await late.next()).toEqual({ done: true, value: undefined });
  });

  it('hands events over in order and collapses an overflow into one resync', async () => {
    const hub = new EventHub();
    const stream = hub.subscribe([topics.calls], 2)[Symbol.asyncIterator]();
    hub.deliver(received('a'));
    hub.deliver(received('b'));
    hub.deliver(received('c'));
    expect((await stream.next()).value).toEqual({ kind: 'resync' });
    hub.deliver(received('d'));
    expect((await stream.next()).value).toMatchObject({ webhookId: 'd' });
    await stream.return?.();
  });

  it('forgets a stream that was closed', async () => {
    const hub = new EventHub();
    const stream = hub.subscribe([topics.calls]);
    const iterator = stream[Symbol.asyncIterator]();
    const next = iterator.next();
    stream.close();
    expect(await next).toEqual({ done: true, value: undefined });
    hub.deliver(received('a')); // nobody is there, and nothing breaks
  });
});
