import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { readBody, type ReadBodyOptions, UploadRoom } from '../../../src/lib/read-body.js';

const KIB = 1_024;

/** A request whose body a test sends by hand. */
function incoming(headers: Record<string, string> = {}): Readable & IncomingMessage {
  return Object.assign(new Readable({ read: () => undefined }), { headers }) as unknown as Readable & IncomingMessage;
}

/** What becomes of a body that comes in chunks of these sizes; bodies are told by their length. */
async function outcome(sizes: readonly number[], bytesMax: number, options: ReadBodyOptions = {}): Promise<unknown> {
  const req = incoming();
  const read = readBody(req, bytesMax, options);
  for (const size of sizes) req.push(Buffer.alloc(size));
  req.push(null);
  const body = await read;
  return typeof body === 'string' ? body : body.length;
}

describe('readBody', () => {
  it('takes what is within the limit, and no more', async () => {
    expect(await outcome([100], 100)).toBe(100);
    expect(await outcome([60, 40], 100)).toBe(100);
    expect(await outcome([60, 41], 100)).toBe('too-large');
    expect(await outcome([], 100)).toBe(0);
  });

  it('has room for so much of large bodies, and gives it back', async () => {
    const room = new UploadRoom(200 * KIB);
    for (let i = 0; i < 3; i += 1) {
      expect(await outcome([100 * KIB, 100 * KIB], 1_000 * KIB, { room })).toBe(200 * KIB);
      expect(await outcome([200 * KIB, 101 * KIB], 1_000 * KIB, { room })).toBe('no-room');
      expect(await outcome([200 * KIB, 1_000 * KIB], 1_000 * KIB, { room })).toBe('too-large');
    }
    expect(room.take(200 * KIB)).toBe(true); // nothing was left over, and nothing is missing
    expect(room.take(1)).toBe(false);
    expect(await outcome([64 * KIB], 1_000 * KIB, { room })).toBe(64 * KIB); // small bodies need none
    expect(await outcome([65 * KIB], 1_000 * KIB, { room })).toBe('no-room');
  });

  it.each([
    ['a larger one', [80, 80], 200, 160],
    ['a larger one, and too small', [80, 80, 80], 200, 'too-large'],
    ['the same one', [80, 80], 100, 'too-large'],
  ])('asks once whether the limit still holds before it refuses a body: %s', async (_, sizes, later, expected) => {
    const confirmed = Promise.withResolvers<number>();
    let asked = 0;
    const req = incoming();
    const read = readBody(req, 100, {
      confirmBytesMax: () => {
        asked += 1;
        return confirmed.promise;
      },
    });
    for (const size of sizes) req.push(Buffer.alloc(size));
    req.push(null);
    await new Promise((resolve) => setImmediate(resolve)); // what can be read has been
    expect(req.isPaused()).toBe(true); // nothing more is taken in meanwhile
    confirmed.resolve(later);
    const body = await read;
    expect(typeof body === 'string' ? body : body.length).toBe(expected);
    expect(asked).toBe(1);
  });

  it.each([
    ['larger', [80, 80], 200, 160],
    ['larger, and too small', [80, 80, 80], 200, 'too-large'],
    ['smaller', [40], 50, 40],
    ['smaller, and too small', [51], 50, 'too-large'],
  ])('reads while it asks for the limit, which is %s', async (_, sizes, later, expected) => {
    const limit = Promise.withResolvers<number>();
    const req = incoming();
    const read = readBody(req, 100, { bytesMaxLater: limit.promise });
    for (const size of sizes) req.push(Buffer.alloc(size));
    req.push(null);
    await new Promise((resolve) => setImmediate(resolve)); // what can be read has been
    limit.resolve(later);
    const body = await read;
    expect(typeof body === 'string' ? body : body.length).toBe(expected);
  });

  it('reads no more than the usual while it asks', async () => {
    const limit = Promise.withResolvers<number>();
    const req = incoming();
    const read = readBody(req, 100, { bytesMaxLater: limit.promise });
    req.push(Buffer.alloc(101));
    await once(req, 'pause');
    req.push(Buffer.alloc(1));
    req.push(null);
    expect(req.readableLength).toBe(1);
    limit.resolve(102);
    expect(await read).toHaveLength(102);
  });

  it('waits for no body that says that it is too large, once the limit is known', async () => {
    const read = readBody(incoming({ 'content-length': '51' }), 100, { bytesMaxLater: Promise.resolve(50) });
    expect(await read).toBe('too-large');
  });

  it('tells of a caller that goes, or has gone before anybody read', async () => {
    const req = incoming();
    const read = readBody(req, 100);
    req.destroy();
    expect(await read).toBe('aborted');
    expect(await readBody(req, 100)).toBe('aborted');
  });
});
