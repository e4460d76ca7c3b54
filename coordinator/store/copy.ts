/** A copy of the store as it is, in one file, durably. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'libsql';

/** Replaces the file at `path`, all at once. Takes as long as reading and writing the store does. */
export function copyStore(db: Database, path: string): void {
  const part = `${path}.part`;
  rmSync(part, { force: true });
  db.prepare('vacuum into ?').run(part);
  sync(part);
  renameSync(part, path);
  sync(dirname(path));
}

function sync(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
