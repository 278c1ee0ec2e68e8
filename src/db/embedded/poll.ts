import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks every `intervalMs` milliseconds until there is an answer, for things that send no event: files of another
 * process and processes that are not our children.
 *
 * @returns the answer, or undefined when `limitMs` passed without one.
 */
export async function poll<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  limitMs: number,
  intervalMs = 10,
): Promise<T | undefined> {
  const endMs = performance.now() + limitMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (performance.now() >= endMs) return undefined;
    await delay(intervalMs);
  }
}
