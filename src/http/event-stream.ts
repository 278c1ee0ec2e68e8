import type { ServerResponse } from 'node:http';

/** All in milliseconds. */
export interface EventStreamTimes {
  /** How often a comment is sent, so that nothing on the way takes the connection for dead. */
  readonly heartbeatMs: number;
  /** How long a client may take nothing of what it was sent before its connection is cut. */
  readonly stuckMs: number;
}

/** The times in force; tests give shorter ones. */
export const EVENT_STREAM_TIMES: EventStreamTimes = { heartbeatMs: 15_000, stuckMs: 30_000 };

/** After how long a client should connect again, in milliseconds. */
const RETRY_MS = 2_000;

export interface ServerSentEvent {
  readonly event: string;
  readonly id: string;
  /** A line break in it becomes LF on the client's side, whichever it was. */
  readonly data: string;
}

/** Whether nothing more can be sent: the client hung up, or was cut. */
export function isOver(res: ServerResponse): boolean {
  return res.closed || res.destroyed;
}

/** Server-sent events (HTML Standard, 9.2) on a response, at the speed of the client. */
export class EventStreamResponse {
  readonly #res: ServerResponse;
  readonly #times: EventStreamTimes;
  readonly #heartbeat: NodeJS.Timeout;

  /**
   * Sends the head.
   *
   * @param onHeartbeat called at every heartbeat.
   */
  constructor(res: ServerResponse, times: EventStreamTimes, onHeartbeat: () => void) {
    this.#res = res;
    this.#times = times;
    res.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-store, no-transform', // a proxy that compresses holds events back
      'X-Accel-Buffering': 'no',
    });
    res.write(`retry: ${RETRY_MS}\n\n`);
    this.#heartbeat = setInterval(() => {
      if (isOver(res)) return;
      if (!res.writableNeedDrain) res.write(':\n\n');
      onHeartbeat();
    }, times.heartbeatMs);
    res.once('close', () => clearInterval(this.#heartbeat));
    res.on('error', () => undefined); // 'close' follows
  }

  /** Sends an event and resolves when there is room for the next one, or nobody is there any more. */
  async send({ event, id, data }: ServerSentEvent): Promise<void> {
    const res = this.#res;
    const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`);
    if (isOver(res) || res.write(`event: ${event}\nid: ${id}\n${lines.join('')}\n`)) return;
    await new Promise<void>((resolve) => {
      const stuck = setTimeout(() => res.destroy(), this.#times.stuckMs);
      const goOn = (): void => {
        clearTimeout(stuck);
        res.off('drain', goOn);
        res.off('close', goOn);
        resolve();
      };
      res.once('drain', goOn);
      res.once('close', goOn);
    });
  }

  end(): void {
    clearInterval(this.#heartbeat);
    if (!isOver(this.#res)) this.#res.end();
  }
}
