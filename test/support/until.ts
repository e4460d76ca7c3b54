import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The maximum time that a test waits for a condition; default: one minute. The limit is generous, so that tests do
 * not fail on a busy machine. The slow suite sets TRAWL_TEST_PATIENCE_MS to four minutes, because its test files
 * import real Python libraries and run at the same time as other files.
 */
export const PATIENCE_MS = Number(process.env.TRAWL_TEST_PATIENCE_MS ?? 60_000);
const SHORTEST_POLL_MS = 50;
/** Polls become less frequent during a wait, because a call to a coordinator uses about 10 ms of CPU time. */
const LONGEST_POLL_MS = 150;
/** The time until the next poll, as a share of the time waited so far. */
const POLL_SHARE = 1 / 20;

/**
 * Polls until `look` returns a value other than undefined or false, and returns that value. The time between two polls
 * is 50 ms at first, and 150 ms after a wait of three seconds.
 * @param what the condition, for the error message
 * @param limitMs default: `PATIENCE_MS`
 * @throws {Error} after the limit
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = PATIENCE_MS,
) {
  const begun = performance.now();
  for (;;) {
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    const waitedMs = performance.now() - begun;
    if (waitedMs > limitMs) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await sleep(Math.min(LONGEST_POLL_MS, Math.max(SHORTEST_POLL_MS, waitedMs * POLL_SHARE)));
  }
}
