/** Files as they are in an installed npm package. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Source } from './source.ts';

export function npmPackage(name: string, folder: string): Source {
  return {
    name: `the npm package ${name}`,
    open: (use) => {
      const root = dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
      return use((file) => readFile(join(root, folder, file)));
    },
  };
}
