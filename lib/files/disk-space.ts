/** Watches the free space on the disk of a folder. */
import { statfs } from 'node:fs/promises';

/**
 * The space is read in the background at this interval. It is not read during a scrape of the metrics, because a
 * network file system that hangs would delay the scrape.
 */
const POLL_MS = 15_000;

export interface DiskSpace {
  /** The number of bytes that are available to an unprivileged user. */
  readonly free: number;
  /** The size of the disk in bytes. */
  readonly size: number;
}

/**
 * Reports the free space now and every 15 s. A report is skipped if the space cannot be read. Returns a function that
 * stops the reports.
 */
export function watchDiskSpace(dir: string, report: (space: DiskSpace) => void): () => void {
  const poll = () =>
    statfs(dir).then(
      ({ bavail, blocks, bsize }) => report({ free: bavail * bsize, size: blocks * bsize }),
      () => {},
    );
  void poll();
  const timer = setInterval(poll, POLL_MS);
  timer.unref();
  return () => clearInterval(timer);
}
