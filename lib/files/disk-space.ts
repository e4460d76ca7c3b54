/** How full the disk under a folder is. */
import { statfs } from 'node:fs/promises';

/** A network file system that hangs must not hold up a scrape: the figures are looked up beside it. */
const LOOK_MS = 15_000;

export interface DiskSpace {
  /** Bytes that an ordinary user may still write. */
  readonly free: number;
  /** Bytes. */
  readonly size: number;
}

/** Looks now and then, and tells. A look that fails tells nothing. @returns what ends that */
export function watchDiskSpace(dir: string, tell: (space: DiskSpace) => void): () => void {
  const look = () =>
    statfs(dir).then(
      ({ bavail, blocks, bsize }) => tell({ free: bavail * bsize, size: blocks * bsize }),
      () => {},
    );
  void look();
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
