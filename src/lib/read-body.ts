import type { IncomingMessage } from 'node:http';

/** The length that a request declares, in bytes. */
export function declaredLength(req: IncomingMessage): number | undefined {
  const header = req.headers['content-length'];
  return header === undefined ? undefined : Number(header); // Node's parser has refused what is not a number
}

/** What a body may hold without asking: small bodies are read however many large ones are on their way. */
const FREE_BYTES = 65_536;

/** How much the large bodies that are on their way may hold together, so that uploads can't fill the memory. */
export class UploadRoom {
  #bytesLeft: number;

  constructor(bytesMax: number) {
    this.#bytesLeft = bytesMax;
  }

  /** Takes room for more bytes; false when there is none. */
  take(bytes: number): boolean {
    if (bytes > this.#bytesLeft) return false;
    this.#bytesLeft -= bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#bytesLeft += bytes;
  }
}

type ReadBody = Buffer | 'too-large' | 'aborted' | 'no-room';

export interface ReadBodyOptions {
  /** Shared by all bodies that are read at once; without it there is room for all. */
  readonly room?: UploadRoom;
  /**
   * The limit that holds once it is known. A body is read meanwhile, up to `bytesMax`: a caller that closes its side
   * behind the request would be taken for one that went away if nobody had read what it sent.
   */
  readonly bytesMaxLater?: Promise<number> | undefined;
  /** Asked once, when a body exceeds its limit: the limit that is final. It must not reject. */
  readonly confirmBytesMax?: () => Promise<number>;
}

/**
 * Reads a body's raw bytes. Nothing beyond the limit is kept: with the chunk that exceeds it, reading stops.
 *
 * @returns the bytes, `too-large`, `no-room`, or `aborted` when the caller went away before the end.
 */
export function readBody(req: IncomingMessage, bytesMax: number): Promise<Exclude<ReadBody, 'no-room'>>;
export function readBody(req: IncomingMessage, bytesMax: number, options: ReadBodyOptions): Promise<ReadBody>;
export function readBody(
  req: IncomingMessage,
  bytesMax: number,
  { room, bytesMaxLater, confirmBytesMax }: ReadBodyOptions = {},
): Promise<ReadBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    let taken = 0;
    let known = bytesMaxLater === undefined;
    let isWhole = false;
    let most = bytesMax;
    let mayConfirm = confirmBytesMax !== undefined;
    const settle = (result: ReadBody): void => {
      req.off('data', take);
      req.off('end', end);
      req.off('close', abort);
      room?.giveBack(taken);
      taken = 0;
      resolve(result);
    };
    const hasRoom = (): boolean => {
      const wanted = bytes - FREE_BYTES - taken;
      if (room === undefined || wanted <= 0) return true;
      if (!room.take(wanted)) return false;
      taken += wanted;
      return true;
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > most && known && !confirm()) return settle('too-large');
      if (!hasRoom()) return settle('no-room');
      chunks.push(chunk);
      if (bytes > most) req.pause();
    };
    const end = (): void => {
      isWhole = true;
      req.off('close', abort); // it closes because it has ended
      if (known) settle(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes));
    };
    const abort = (): void => settle('aborted');
    const learn = (limit: Promise<number>): void => {
      void limit.then((bytesMaxNow) => {
        most = bytesMaxNow;
        known = true;
        if (Math.max(bytes, declaredLength(req) ?? 0) > most) {
          if (!confirm()) settle('too-large');
        } else if (isWhole) end();
        else req.resume();
      });
    };
    /** @returns whether there is somebody to ask; reading waits for the answer. */
    const confirm = (): boolean => {
      if (!mayConfirm) return false;
      mayConfirm = false;
      known = false;
      learn(confirmBytesMax!());
      return true;
    };
    if (req.destroyed) {
      resolve('aborted'); // it has said so before anybody listened
      return;
    }
    req.on('data', take);
    req.on('end', end);
    req.on('close', abort);
    req.on('error', ignore); // 'close' follows
    if (bytesMaxLater !== undefined) learn(bytesMaxLater);
  });
}

function ignore(): void {}
