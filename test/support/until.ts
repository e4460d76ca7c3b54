import { setTimeout as sleep } from 'node:timers/promises';

/** Generous, because tests must also pass on a busy machine. */
export const PATIENCE_MS = 60_000;
const POLL_MS = 50;

/**
 * Calls `look` repeatedly until it returns a value, and returns the value.
 * @param look returns undefined or false as long as the condition is not met
 * @throws {Error} with the text that `what` did not happen
 */
export async function until<T>(what: string, look: () => T | undefined | false | Promise<T | undefined | false>) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(POLL_MS);
  }
}
