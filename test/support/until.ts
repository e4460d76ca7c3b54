import { setTimeout as sleep } from 'node:timers/promises';

/** A generous limit, so that a busy machine does not fail a test. */
export const PATIENCE_MS = 60_000;
const POLL_MS = 50;

/**
 * Polls until `look` returns a value other than undefined or false, and returns that value.
 * @param what the condition, for the error message
 * @throws {Error} after a minute
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
