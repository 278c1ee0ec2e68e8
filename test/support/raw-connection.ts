import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** One response as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

const ANSWER_MS_MAX = 20_000;

/** A connection to a server that sends bytes as they are and takes nothing but well-formed answers. */
export class RawConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake = Promise.withResolvers<void>();

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#wakeUp();
    });
    socket.on('error', () => undefined); // a reset; 'close' follows
    socket.on('close', () => {
      this.#closed = true;
      this.#wakeUp();
    });
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    await once(socket, 'connect');
    socket.on('end', () => socket.end());
    return new RawConnection(socket);
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(...chunks: readonly (string | Uint8Array)[]): void {
    for (const chunk of chunks) this.#socket.write(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk);
  }

  /** Says that nothing more will be sent; answers can still be read. */
  finish(): void {
    this.#socket.end();
  }

  /** Breaks the connection off, with a reset. */
  breakOff(): void {
    this.#socket.resetAndDestroy();
  }

  /**
   * The next final answer; interim ones are skipped.
   *
   * @param method of the request that it answers: HEAD has no body.
   * @returns `undefined` when the server closed the connection instead.
   * @throws Error when what came is not well-formed, or nothing came in time.
   */
  async next(method = 'POST'): Promise<WireAnswer | undefined> {
    const timer = setTimeout(() => this.#socket.destroy(new Error('late')), ANSWER_MS_MAX);
    try {
      for (;;) {
        const parsed = parseAnswer(this.#received, method);
        if (parsed !== undefined) {
          this.#received = this.#received.subarray(parsed.bytes);
          if (parsed.answer.status < 200 && parsed.answer.status !== 101) continue;
          return parsed.answer;
        }
        if (this.#closed) {
          if (this.#socket.errored?.message === 'late') throw new Error(`There was no answer in ${ANSWER_MS_MAX} ms.`);
          if (this.#received.length > 0) throw new Error(`An answer ends too early: ${excerpt(this.#received)}`);
          return undefined;
        }
        await this.#wake.promise;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  #wakeUp(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }
}

const STATUS_LINE = /^HTTP\/1\.1 ([1-5]\d\d) [\x20-\x7e]*$/;
const HEADER_LINE = /^([!#$%&'*+.^_`|~\w-]+): ?([\t\x20-\x7e\x80-\xff]*)$/;

/** Reads one answer from the beginning of `bytes`; `undefined` while it is not complete. */
function parseAnswer(
  bytes: Buffer,
  method: string,
): { readonly answer: WireAnswer; readonly bytes: number } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return undefined;
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n');
  const status = Number(STATUS_LINE.exec(statusLine)?.[1]);
  if (Number.isNaN(status)) throw new Error(`No status line: ${excerpt(bytes)}`);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER_LINE.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Error(`No header: ${JSON.stringify(line)}`);
    headers.set(name.toLowerCase(), value.trim());
  }
  const start = headEnd + 4;
  const finished = (body: string, end: number): { answer: WireAnswer; bytes: number } => ({
    answer: { status, headers, body },
    bytes: end,
  });
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return finished('', start);
  if (headers.get('transfer-encoding') === 'chunked') {
    const decoded = decodeChunks(bytes.subarray(start));
    return decoded && finished(decoded.body, start + decoded.bytes);
  }
  const length = headers.get('content-length') ?? '';
  if (!/^\d+$/.test(length)) throw new Error(`An answer of unknown length: ${excerpt(bytes)}`);
  const end = start + Number(length);
  return bytes.length < end ? undefined : finished(bytes.toString('utf8', start, end), end);
}

function decodeChunks(bytes: Buffer): { readonly body: string; readonly bytes: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const length = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    if (Number.isNaN(length)) throw new Error(`No chunk: ${excerpt(bytes.subarray(at))}`);
    const end = lineEnd + 2 + length;
    if (bytes.length < end + 2) return undefined;
    if (length === 0) return { body: Buffer.concat(parts).toString('utf8'), bytes: end + 2 };
    parts.push(bytes.subarray(lineEnd + 2, end));
    at = end + 2;
  }
}

function excerpt(bytes: Buffer): string {
  return JSON.stringify(bytes.toString('latin1', 0, 300));
}
