/** Installs packages from the Python registry into environments. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { packageRoot } from '../../bin/package.ts';
import { withLock } from '../../deploy/setup/lock.mjs';
import { runTool } from './tool.ts';

/** An installation can take minutes, because PyTorch and its libraries are 3 GB. */
export const INSTALL_LIMIT_MS = 600_000;
const UV = 'uv==0.13.9';
const ENVIRONMENTS = join(packageRoot(), '.trawl', 'python');

const run = promisify(execFile);

/**
 * Installs packages into a Python environment, unless an environment with the same packages and the same version of
 * Python already exists.
 * @param requirements the lines of a requirements.txt
 * @param root the folder of the environments. Default: `.trawl/python` of this clone
 * @param compiles whether to compile all modules now, so that the first import is as fast as later imports
 * @returns the folder of the environment's programs
 * @throws {Error} if the environment cannot be created, or if a package cannot be installed
 */
export async function pythonEnvironment(requirements: string, root = ENVIRONMENTS, compiles = false): Promise<string> {
  const { output: version } = runTool('python3', ['--version']);
  const key = createHash('sha256').update(`${version}\n${requirements}`).digest('hex').slice(0, 16);
  const folder = join(root, key);
  const complete = join(folder, 'complete');
  await withLock(`${folder}.lock`, console.warn, async () => {
    if (existsSync(complete)) return;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const list = join(folder, 'requirements.txt');
    writeFileSync(list, requirements);
    try {
      const uv = await uvProgram();
      await run(uv, ['venv', '--quiet', '--allow-existing', '--python', 'python3', folder]);
      const compile = compiles ? ['--compile-bytecode'] : [];
      await run(uv, ['pip', 'install', '--quiet', ...compile, '--python', folder, '--requirement', list]);
    } catch (error) {
      throw new Error(`could not install ${requirements.trim().split('\n').join(', ')} with uv`, { cause: error });
    }
    writeFileSync(complete, '');
  });
  return join(folder, 'bin');
}

/**
 * Returns the path of uv, which installs PyTorch in a third of pip's time. Installs uv if the machine does not have it.
 */
async function uvProgram(): Promise<string> {
  if (runTool('uv', ['--version']).code === 0) return 'uv';
  const folder = join(ENVIRONMENTS, 'uv');
  const program = join(folder, 'bin', 'uv');
  await withLock(`${folder}.lock`, console.warn, async () => {
    if (existsSync(program)) return;
    await run('python3', ['-m', 'venv', folder]);
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', UV]);
  });
  return program;
}
