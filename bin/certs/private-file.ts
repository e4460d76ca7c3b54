import { chmodSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { writeDurablySync } from '../../lib/files/write-durably.ts';

/** Its owner's only. */
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** Writes a file whole or not at all, for its owner's eyes only; so is its folder, where that has to be made. */
export function writePrivately(path: string, content: string): void {
  const folder = dirname(path);
  if (mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER }) !== undefined) chmodSync(folder, PRIVATE_FOLDER);
  writeDurablySync(path, content, PRIVATE_FILE);
}
