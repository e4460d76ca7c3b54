import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../bin/package.ts';

/**
 * Installs the newest release of a major version of Node from its npm package into `.trawl/node/`, once per clone. npm
 * verifies the package's checksum.
 * @param major the major version, such as 22
 * @returns the path of the `node` program
 * @throws {Error} if npm cannot install the version
 */
export async function installNode(major: number): Promise<string> {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const prefix = join(packageRoot(), '.trawl', 'node', `${major}`);
  const program = join(prefix, 'node_modules', name, 'bin', 'node');
  if (existsSync(program)) return program;
  mkdirSync(prefix, { recursive: true });
  const install = ['install', '--prefix', prefix, '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit'];
  try {
    await promisify(execFile)('npm', [...install, `${name}@${major}.x`], { cwd: prefix });
  } catch (error) {
    throw new Error(`could not install Node ${major} (npm package ${name}@${major}.x)`, { cause: error });
  }
  if (!existsSync(program)) throw new Error(`npm package ${name}@${major}.x has no bin/node`);
  return program;
}
