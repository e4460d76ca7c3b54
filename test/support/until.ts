import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The maximum time that a test waits for a condition; default: one minute. The limit is generous, so that tests do
 * not fail on a busy machine. The slow suite sets TRAWL_TEST_PATIENCE_MS to four minutes, because its test files
 * import real Python libraries and run at the same time as other files.
 */
export const PATIENCE_MS = Number(process.env.TRAWL_TEST_PATIENCE_MS ?? 60_000);
const POLL_MS = 50;

/**
 * Polls until `look` returns a value other than undefined or false, and returns that value.
 * @param what the condition, for the error message
 * @param limitMs default: `PATIENCE_MS`
 * @throws {Error} after the limit
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  limitMs = PATIENCE_MS,
) {
  const deadline = performance.now() + limitMs;
  for (;;) {
    const answer = await look();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > deadline) throw new Error(`not within ${limitMs / 1000} s: ${what}`);
    await sleep(POLL_MS);
  }
}
