import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Returns the root of the checkout or of the installed package, which contains package.json, deploy/ and examples/. The
 * sources run from the root itself (in tests), the build from dist/.
 */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

/** trawl's version, from the package.json above this file: one level up in the sources, two in the build. */
export function trawlVersion(): string {
  for (const up of ['../package.json', '../../package.json']) {
    const path = fileURLToPath(new URL(up, import.meta.url));
    if (!existsSync(path)) continue;
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof content !== 'object' || content === null || !('name' in content) || content.name !== 'trawl') continue;
    if ('version' in content) return String(content.version);
  }
  throw new Error('the package.json of trawl is missing: the installation is incomplete');
}
