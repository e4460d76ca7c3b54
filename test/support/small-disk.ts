/** A disk of a few megabytes that can be filled. It is a separate mount, which only root can create. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface SmallDisk {
  /** Fills the disk completely. */
  fill(): void;
  /** Frees the space that `fill` used. */
  makeRoom(): void;
}

const BALLAST = 'ballast';
const PIECE = Buffer.alloc(4096);

/** @returns undefined, with a warning, if no disk can be mounted */
export function smallDisk(path: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'pipe' });
  } catch {
    console.log('skipped: a disk to fill can be mounted by root on Linux only');
    return undefined;
  }
  // A lazy unmount, because an ending process may still have a file open.
  onTestFinished(() => void execFileSync('umount', ['-l', path]));
  const ballast = join(path, BALLAST);
  return {
    fill() {
      for (;;) {
        try {
          writeFileSync(ballast, PIECE, { flag: 'a' });
        } catch (error) {
          if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return;
          throw error;
        }
      }
    },
    makeRoom: () => rmSync(ballast, { force: true }),
  };
}
