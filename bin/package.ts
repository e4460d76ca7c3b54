import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../lib/files/package-root.ts';

export { packageRoot };

/** Returns trawl's version from its package.json. */
export function trawlVersion(): string {
  const content: unknown = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  if (typeof content === 'object' && content !== null && 'version' in content) return String(content.version);
  throw new Error('the package.json of trawl has no version: the installation is incomplete');
}
