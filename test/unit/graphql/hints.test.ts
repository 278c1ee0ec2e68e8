import { describe, expect, it } from '@jest/globals';
import { topics } from '../../../src/events/event.js';
import { EventHub } from '../../../src/events/event-hub.js';
import { Hints } from '../../../src/graphql/subscriptions/hints.js';

const received = (n: number): Parameters<EventHub['deliver']>[0] => ({
  kind: 'call-received',
  callId: String(n),
  webhookId: 'w',
});

/** Lets everything that waits for the hub run. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('hints', () => {
  it('keep the names of what was heard, each once, for a reader that comes late', async () => {
    const hub = new EventHub();
    const hints = new Hints(hub, [topics.calls]);
    for (const n of [1, 2, 1]) hub.deliver(received(n));
    await turn();
    expect(await hints.take()).toEqual({ callIds: ['1', '2'], executionIds: [], resync: false });
    hints.close();
    expect(await hints.take()).toBeUndefined();
  });

  it('are bounded however late that is: from a thousand names on, the word is to read again', async () => {
    const hub = new EventHub();
    const hints = new Hints(hub, [topics.calls]);
    for (let n = 0; n < 5_000; n += 1) {
      hub.deliver(received(n));
      if (n % 100 === 99) await turn(); // the hub's own buffer does not overflow
    }
    const heard = (await hints.take())!;
    expect(heard.resync).toBe(true);
    expect(heard.callIds.length).toBeLessThanOrEqual(1_000);
    hub.deliver(received(9_999));
    expect(await hints.take()).toEqual({ callIds: ['9999'], executionIds: [], resync: false });
    hints.close();
  });

  it('of a burst that overflows the buffer of the hub are the word to read again', async () => {
    const hub = new EventHub();
    const hints = new Hints(hub, [topics.calls]);
    for (let n = 0; n < 300; n += 1) hub.deliver(received(n));
    await turn();
    expect((await hints.take())?.resync).toBe(true);
    hints.close();
  });
});
