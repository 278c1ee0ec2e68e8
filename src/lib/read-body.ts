import type { IncomingMessage } from 'node:http';

/** The length that a request declares, in bytes. */
export function declaredLength(req: IncomingMessage): number | undefined {
  const header = req.headers['content-length'];
  return header === undefined ? undefined : Number(header); // Node's parser has refused what is not a number
}

/**
 * Reads a body's raw bytes. Nothing beyond the limit is kept: with the chunk that exceeds it, reading stops.
 *
 * @returns the bytes, `too-large`, or `aborted` when the caller went away before the end.
 */
export function readBody(req: IncomingMessage, bytesMax: number): Promise<Buffer | 'too-large' | 'aborted'> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const settle = (result: Buffer | 'too-large' | 'aborted'): void => {
      req.off('data', take);
      req.off('end', end);
      req.off('close', abort);
      resolve(result);
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) settle('too-large');
      else chunks.push(chunk);
    };
    const end = (): void => settle(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, bytes));
    const abort = (): void => settle('aborted');
    req.on('data', take);
    req.on('end', end);
    req.on('close', abort);
    req.on('error', ignore); // 'close' follows
  });
}

function ignore(): void {}
