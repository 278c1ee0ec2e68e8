import { describe, expect, it } from '@jest/globals';
import type { Sql } from '../../../src/db/database.js';
import { topics } from '../../../src/events/event.js';
import { EventHub } from '../../../src/events/event-hub.js';
import { Hints } from '../../../src/graphql/subscriptions/hints.js';
import { liveStream } from '../../../src/graphql/subscriptions/live-stream.js';
import { newUuidV7 } from '../../../src/lib/ids.js';

const event = (callId = newUuidV7()) => ({ kind: 'call-received', callId, webhookId: newUuidV7() }) as const;

/** Yields what the hub says, for ever. */
async function* forEver(stream: AsyncIterable<unknown>): AsyncGenerator<unknown, void, void> {
  for await (const item of stream) yield item;
}

const NO_DATABASE: Sql = { query: () => Promise.reject(new Error('nothing is read here')) };

/** Of a database that is away. */
const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

describe('liveStream', () => {
  it('goes on where it was when the database is back, and ends at any other fault', async () => {
    const answers = [refused, refused, () => ({ rows: [{ n: 1 }] }), () => new Error('syntax error')];
    const sql: Sql = {
      query: () => {
        const answer = answers.shift()!();
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never);
      },
    };
    const start = async function* (patient: Sql): AsyncGenerator<unknown, void, void> {
      for (;;) yield (await patient.query('select 1')).rows;
    };
    const stream = liveStream({ source: { close: () => undefined }, sql, start });
    expect(await stream.next()).toEqual({ done: false, value: [{ n: 1 }] });
    await expect(stream.next()).rejects.toThrow('syntax error');
  });

  it('returns while the database is away', async () => {
    const asked = Promise.withResolvers<void>();
    const sql: Sql = { query: () => (asked.resolve(), Promise.reject(refused())) };
    const start = async function* (patient: Sql): AsyncGenerator<unknown, void, void> {
      yield (await patient.query('select 1')).rows;
    };
    const stream = liveStream({ source: { close: () => undefined }, sql, start });
    const waiting = stream.next();
    await asked.promise;
    await stream.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('returns while it waits for an event that never comes', async () => {
    const source = new EventHub().subscribe([topics.calls]);
    const stream = liveStream({ source, sql: NO_DATABASE, start: () => forEver(source) });
    const waiting = stream.next();
    await stream.return();
    expect(await waiting).toEqual({ done: true, value: undefined });
  });

  it('closes its source when it was never started, when it ends and when it fails', async () => {
    const closings: string[] = [];
    const source = (name: string) => ({ close: () => void closings.push(name) });
    const bound = (name: string, generator: AsyncGenerator<unknown, void, void>) =>
      liveStream({ source: source(name), sql: NO_DATABASE, start: () => generator });
    await bound('unstarted', forEver(new EventHub().subscribe([topics.calls]))).return();
    const ending = bound('ended', (async function* () {})());
    await ending.next();
    const broken = (async function* () {
      yield await Promise.reject(new Error('broken'));
    })();
    const failing = bound('failed', broken);
    await expect(failing.next()).rejects.toThrow('broken');
    expect(closings).toEqual(['unstarted', 'ended', 'failed']);
  });
});

describe('Hints', () => {
  it('collects what comes while nobody looks', async () => {
    const hub = new EventHub();
    const hints = new Hints(hub, [topics.calls]);
    const [a, b] = [event(), event()];
    hub.deliver(a);
    hub.deliver(b);
    hub.deliver(a);
    await new Promise(setImmediate);
    expect(await hints.take()).toEqual({ executionIds: [], callIds: [a.callId, b.callId], resync: false });
    hints.close();
  });

  it('asks to read everything again when it was told to, and when there is too much to name', async () => {
    const hub = new EventHub();
    const hints = new Hints(hub, [topics.calls]);
    hub.resync();
    expect(await hints.take()).toEqual({ executionIds: [], callIds: [], resync: true });
    for (let i = 0; i < 1_100; i += 1) {
      hub.deliver(event());
      if (i % 100 === 0) await new Promise(setImmediate); // a slow client, not a flood in one turn
    }
    await new Promise(setImmediate);
    const heard = await hints.take();
    expect(heard?.resync).toBe(true);
    expect(heard!.callIds.length).toBeLessThanOrEqual(1_000);
    hints.close();
  });

  it('ends every wait when it is closed', async () => {
    const taking = new Hints(new EventHub(), [topics.calls]);
    const taken = taking.take();
    taking.close();
    expect(await taken).toBeUndefined();
    const pausing = new Hints(new EventHub(), [topics.calls]);
    const paused = pausing.pause(3_600_000);
    pausing.close();
    await paused;
    expect(await pausing.take()).toBeUndefined();
  });

  it('does not end a pause for an event', async () => {
    const hub = new EventHub();
    const hints = new Hints(hub, [topics.calls]);
    let over = false;
    const paused = hints.pause(50).then(() => (over = true));
    hub.deliver(event());
    await new Promise(setImmediate);
    expect(over).toBe(false);
    await paused;
    expect((await hints.take())?.callIds).toHaveLength(1);
    hints.close();
  });
});
