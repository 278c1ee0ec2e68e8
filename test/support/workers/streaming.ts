import { setTimeout as delay } from 'node:timers/promises';
import { defineWorker } from 'workhook/worker';

interface Input {
  /** How many pieces, and milliseconds between them. */
  readonly pieces: number;
  readonly delayMs: number;
  /** A server that answers when the second half may begin. */
  readonly gateUrl?: string;
}

/** Writes pieces of text, each with its number and the time of day, in two steps; its result is all of them. */
export default defineWorker({
  id: 'streaming',
  name: 'Streaming',
  run: async ({ inputParams, signal, emitText, step }) => {
    const { pieces, delayMs, gateUrl } = inputParams as Input;
    const write = async (from: number, to: number): Promise<string> => {
      let text = '';
      for (let n = from; n < to; n += 1) {
        const piece = `${n}@${Date.now()} `;
        emitText(piece);
        text += piece;
        await delay(delayMs, undefined, { signal });
      }
      return text;
    };
    const first = await step('first', () => write(0, pieces / 2));
    const second = await step('second', async () => {
      const begun = await write(pieces / 2, (pieces * 3) / 4);
      if (gateUrl !== undefined) await fetch(gateUrl, { signal });
      return begun + (await write((pieces * 3) / 4, pieces));
    });
    return first + second;
  },
});
