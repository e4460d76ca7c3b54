/** Free space on the disk of a folder. */
import { statfs } from 'node:fs/promises';

/** A network file system that hangs must not delay a scrape. */
const POLL_MS = 15_000;

export interface DiskSpace {
  /** The number of bytes that are available to an unprivileged user. */
  readonly free: number;
  /** Bytes. */
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
