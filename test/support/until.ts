import { setTimeout as sleep } from 'node:timers/promises';

/** Generous: a machine that is busy with other things must not fail a test. */
export const PATIENCE_MS = 60_000;
const POLL_MS = 50;

/**
 * Asks again and again until there is an answer, which it returns.
 * @param look what is asked; undefined or false: not yet
 * @throws {Error} saying `what` did not happen
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
