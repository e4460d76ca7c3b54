import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Returns the root folder of the checkout or of the installed package. The root folder contains package.json, deploy/
 * and examples/. The function searches the parent folders for package.json, because the depth of this file varies: the
 * built file is one folder deeper, in dist/.
 */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}
