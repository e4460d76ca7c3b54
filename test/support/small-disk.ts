/** A disk of a few megabytes that can be filled: a mount of its own, which only root can make. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

export interface SmallDisk {
  /** Leaves not a byte. */
  fill(): void;
  /** Gives back what `fill` took. */
  makeRoom(): void;
}

const BALLAST = 'ballast';
const PIECE = Buffer.alloc(4096);

/** @returns undefined where no disk can be mounted, which is said */
export function smallDisk(path: string, megabytes: number): SmallDisk | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], { stdio: 'pipe' });
  } catch {
    console.log('skipped: a disk to fill can be mounted by root on Linux only');
    return undefined;
  }
  // Lazily: a process that is on its way out may still hold a file.
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
