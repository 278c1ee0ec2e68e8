import { type DomainEvent, type Notification, type Topic, topicsOf } from './event.js';

/** One subscriber's stream of notifications. Ends when `close` is called or the hub closes. */
export interface EventStream extends AsyncIterable<Notification> {
  close(): void;
}

/**
 * Fans the events of this process's one LISTEN connection out to its subscribers.
 *
 * A stream's buffer is bounded. What overflows collapses into one `resync`: the subscriber reads the rows again and
 * has lost nothing, because events carry ids only.
 */
export class EventHub {
  readonly #streams = new Map<Topic, Set<Stream>>();
  #closed = false;
  #catchUp: () => Promise<void> = () => Promise.resolve();

  /** Says how to wait for all that is committed to be delivered here. */
  deliveredBy(catchUp: () => Promise<void>): void {
    this.#catchUp = catchUp;
  }

  /**
   * Resolves when every event that was committed before this call has been delivered to the streams here.
   *
   * @throws what broke the connection; a `resync` follows then.
   */
  caughtUp(): Promise<void> {
    return this.#catchUp();
  }

  /** Subscribes to topics. The subscription is in force when this returns. */
  subscribe(topics: readonly Topic[], bufferedMax = 256): EventStream {
    const stream = new Stream(bufferedMax, () => this.#remove(topics, stream));
    if (this.#closed) {
      stream.close();
      return stream;
    }
    for (const topic of topics) {
      const streams = this.#streams.get(topic) ?? new Set();
      streams.add(stream);
      this.#streams.set(topic, streams);
    }
    return stream;
  }

  /** Calls `listener` for every notification under the topics, until the returned function is called. */
  listen(topics: readonly Topic[], listener: (notification: Notification) => void): () => void {
    const stream = this.subscribe(topics);
    void (async () => {
      for await (const notification of stream) listener(notification);
    })();
    return () => stream.close();
  }

  deliver(event: DomainEvent): void {
    for (const topic of topicsOf(event)) {
      for (const stream of this.#streams.get(topic) ?? []) stream.push(event);
    }
  }

  /** Tells every subscriber that events may have been missed. */
  resync(): void {
    for (const stream of this.#all()) stream.resync();
  }

  close(): void {
    this.#closed = true;
    for (const stream of this.#all()) stream.close();
  }

  #all(): Set<Stream> {
    const all = new Set<Stream>();
    for (const streams of this.#streams.values()) for (const stream of streams) all.add(stream);
    return all;
  }

  #remove(topics: readonly Topic[], stream: Stream): void {
    for (const topic of topics) {
      const streams = this.#streams.get(topic);
      streams?.delete(stream);
      if (streams?.size === 0) this.#streams.delete(topic);
    }
  }
}

class Stream implements EventStream {
  #buffer: Notification[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  constructor(
    private readonly bufferedMax: number,
    private readonly onClose: () => void,
  ) {}

  push(event: DomainEvent): void {
    if (this.#buffer.length >= this.bufferedMax) this.#buffer = [{ kind: 'resync' }];
    else this.#buffer.push(event);
    this.#wake?.();
  }

  resync(): void {
    this.#buffer = [{ kind: 'resync' }];
    this.#wake?.();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#buffer = [];
    this.onClose();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Notification, void, undefined> {
    try {
      while (!this.#closed) {
        const next = this.#buffer.shift();
        if (next !== undefined) yield next;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.close();
    }
  }
}
