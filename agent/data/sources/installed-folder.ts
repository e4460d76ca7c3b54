/** Gzipped files in a folder, as Debian's package installs them. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { ReadFile, Source } from './source.ts';

const decompress = promisify(gunzip);

export function installedFolder(folder: string): Source {
  return { name: folder, open: (use) => use(gzippedIn(folder)) };
}

/** Reads `name.gz` in the folder. */
export function gzippedIn(folder: string): ReadFile {
  return async (name, maxBytes) =>
    decompress(await readFile(join(folder, `${name}.gz`)), { maxOutputLength: maxBytes });
}
