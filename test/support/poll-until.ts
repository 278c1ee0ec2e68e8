/** How often an answer that may not be there yet is asked for. */
const POLL_MS = 25;

/**
 * Asks until the answer is there, as a caller does who polls for a result. For tests through a process's outside, where
 * there is no signal to await; inside a process await the signal instead.
 *
 * @param ask gives `undefined` while the answer is not there.
 */
export async function pollUntil<Answer>(
  what: string,
  ask: () => Promise<Answer | undefined>,
  limitMs = 20_000,
): Promise<Answer> {
  for (const deadlineMs = performance.now() + limitMs; performance.now() < deadlineMs;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`Waited ${limitMs} ms in vain for: ${what}`);
}
