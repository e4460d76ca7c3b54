import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Finding, sizeText } from './finding.ts';

/** Below this a sweep may fill the disk: the data sets take 110 MB, a thousand trials' metrics and logs some 100 MB. */
export const LOW_DISK_BYTES = 2 ** 30;

/** What is free where `folder` is or would be made. */
export function diskFinding(name: string, folder: string): Finding {
  let existing = resolve(folder);
  while (!existsSync(existing)) existing = dirname(existing);
  try {
    accessSync(existing, constants.W_OK | constants.X_OK);
  } catch {
    return {
      name,
      state: 'missing',
      detail: `${existing} is not writable`,
      mend: 'name another with --dir',
      needed: true,
    };
  }
  const { bavail, bsize } = statfsSync(existing);
  const detail = `${sizeText(bavail * bsize)} free at ${existing}`;
  if (bavail * bsize >= LOW_DISK_BYTES) return { name, state: 'ok', detail, needed: true };
  return {
    name,
    state: 'warning',
    detail,
    mend: `free some; ${sizeText(LOW_DISK_BYTES)} is the least to be safe`,
    needed: true,
  };
}
