import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export { packageRoot } from '../lib/files/package-root.ts';

/**
 * Returns trawl's version from package.json, which is one folder above this file in the sources, and two folders above
 * it in the build.
 */
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
