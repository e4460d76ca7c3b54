/** Lets the programs of a test use a Python environment. */
import { delimiter } from 'node:path';
import { vi } from 'vitest';

export { INSTALL_LIMIT_MS, pythonEnvironment } from './python-environment.ts';

/** Puts an environment's programs first on PATH. `vi.unstubAllEnvs` restores PATH. */
export function activate(programs: string): void {
  vi.stubEnv('PATH', `${programs}${delimiter}${process.env.PATH}`);
  // One thread per trial is enough, because two trials run at once, and the networks are small.
  vi.stubEnv('OMP_NUM_THREADS', '1');
}
