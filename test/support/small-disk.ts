/** A disk of a few megabytes that a test can fill. Only root can mount such a disk. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { isSkipped } from './requirements.ts';

export interface SmallDisk {
  /** Fills the disk completely. */
  fill(): void;
  /** Frees the space that `fill` used. */
  makeRoom(): void;
}

const BALLAST = 'ballast';
const CHUNK = Buffer.alloc(4096);

/**
 * Mounts a disk.
 * @returns undefined if the disk cannot be mounted; with TRAWL_CI=1, the test fails instead
 */
export function smallDisk(path: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'pipe' });
  } catch {
    isSkipped('only root on Linux can mount a small disk');
    return undefined;
  }
  // The unmount is lazy, because a process that is shutting down might still have a file open.
  onTestFinished(() => void execFileSync('umount', ['-l', path]));
  const ballast = join(path, BALLAST);
  return {
    fill() {
      for (;;) {
        try {
          writeFileSync(ballast, CHUNK, { flag: 'a' });
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return;
          throw error;
        }
      }
    },
    makeRoom: () => rmSync(ballast, { force: true }),
  };
}
