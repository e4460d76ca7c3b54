import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeDurablySync } from '../../lib/files/write-durably.ts';

const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** Writes a file atomically and durably. Only the owner can read the file, and the folder if this call creates it. */
export function writePrivately(path: string, content: string): void {
  const folder = dirname(path);
  if (mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER }) !== undefined) chmodSync(folder, PRIVATE_FOLDER);
  writeDurablySync(path, content, PRIVATE_FILE);
}
