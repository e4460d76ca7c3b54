import { chmodSync, existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { requireFolder } from '../../lib/files/folder.ts';
import { writeDurablySync } from '../../lib/files/write-durably.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/**
 * Writes a file atomically and durably. Only the owner can read the file. A folder that this call creates is also
 * private to the owner.
 */
export function writePrivately(path: string, content: string): void {
  const folder = dirname(path);
  const isNew = !existsSync(folder);
  requireFolder('--dir', folder, PRIVATE_FOLDER);
  if (isNew) chmodSync(folder, PRIVATE_FOLDER);
  writeDurablySync(path, content, PRIVATE_FILE);
}
