/** Python environments with packages from the Python registry. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { packageRoot } from '../../bin/package.ts';
import { withLock } from '../../deploy/setup/lock.mjs';
import { runTool } from './tool.ts';

/** An installation can take minutes, because PyTorch and its libraries are 3 GB. */
export const INSTALL_LIMIT_MS = 600_000;
const UV = 'uv==0.13.9';

const run = promisify(execFile);

/**
 * Installs packages into a Python environment in `.trawl/python/`, once per clone and list of packages.
 * @param requirements the lines of a requirements.txt
 * @returns the folder of the environment's programs
 * @throws {Error} if Python or a package cannot be installed
 */
export async function pythonEnvironment(requirements: string): Promise<string> {
  const { output: version } = runTool('python3', ['--version']);
  const key = createHash('sha256').update(`${version}\n${requirements}`).digest('hex').slice(0, 16);
  const folder = join(packageRoot(), '.trawl', 'python', key);
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
      await run(uv, ['pip', 'install', '--quiet', '--python', folder, '--requirement', list]);
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
  const folder = join(packageRoot(), '.trawl', 'python', 'uv');
  const program = join(folder, 'bin', 'uv');
  await withLock(`${folder}.lock`, console.warn, async () => {
    if (existsSync(program)) return;
    await run('python3', ['-m', 'venv', folder]);
    await run(join(folder, 'bin', 'pip'), ['install', '--quiet', UV]);
  });
  return program;
}

/** Puts an environment's programs first on PATH. `vi.unstubAllEnvs` restores PATH. */
export function activate(programs: string): void {
  vi.stubEnv('PATH', `${programs}${delimiter}${process.env.PATH}`);
  // One thread per trial is enough, because two trials run at once, and the networks are small.
  vi.stubEnv('OMP_NUM_THREADS', '1');
}
