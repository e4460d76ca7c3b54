/** Reads new content of the files to which a program writes its reports. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * The interval at which files are polled. File change events are not used, because they do not work on every file
 * system.
 */
const POLL_MS = 200;

export interface FileSource {
  /** Reads the new content of the file. */
  poll(): Promise<void>;
  /**
   * Reads the remaining content when the program has ended, after the last poll.
   * @param isWhole whether the program ended with exit code 0. Otherwise the last row of the file may be incomplete.
   * @returns the reason, for the log, if nothing could be read; otherwise undefined
   */
  end(isWhole: boolean): Promise<string | undefined>;
  close(): Promise<void>;
}

/**
 * Polls a source until the program has ended, and once more after that. Then closes the source.
 * @returns the reason, for the log, if nothing could be read; otherwise undefined
 */
export async function followSource(
  source: FileSource,
  ended: AbortSignal,
  isWhole: () => boolean,
): Promise<string | undefined> {
  try {
    for (;;) {
      const isLast = ended.aborted;
      await source.poll();
      if (isLast) return await source.end(isWhole());
      await sleep(POLL_MS, undefined, { signal: ended }).catch(() => {});
    }
  } finally {
    await source.close();
  }
}
