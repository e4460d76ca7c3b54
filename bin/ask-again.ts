import { setTimeout as sleep } from 'node:timers/promises';
import { UnreachableError } from '../proto/errors.ts';

/** For a request that may change many trials: all of it is written before the answer. */
export const LARGE_CHANGE_DEADLINE_MS = 60_000;

/** Waits before the second and later tries of a coordinator that is not there, or went away before it answered. */
const WAITS_MS = [200, 500, 1_000];

/** Asks until there is an answer. What is asked must carry a request_id, the same each time: it is done once. */
export async function askAgain<T>(ask: () => Promise<T>): Promise<T> {
  for (let failures = 0; ; failures++) {
    try {
      return await ask();
    } catch (error) {
      const wait = WAITS_MS[failures];
      if (!(error instanceof UnreachableError) || wait === undefined) throw error;
      await sleep(wait);
    }
  }
}
