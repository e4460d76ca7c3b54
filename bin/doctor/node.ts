import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as NodeVersion from '../../deploy/setup/node-version.mjs';
import { packageRoot } from '../local/package-root.ts';
import type { Finding } from './finding.ts';

/** @param version as in process.versions.node */
export async function nodeFinding(version: string): Promise<Finding> {
  const path = join(packageRoot(), 'deploy', 'setup', 'node-version.mjs');
  const { nodeProblem }: typeof NodeVersion = await import(pathToFileURL(path).href);
  const [detail = '', mend] = nodeProblem(version)?.split('\n') ?? [version];
  if (mend === undefined) return { name: 'Node', state: 'ok', detail, needed: true };
  return { name: 'Node', state: 'missing', detail, mend, needed: true };
}
