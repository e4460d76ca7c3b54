/** Installs packages from the Python registry for the benchmarks, such as PyTorch. */
import { join } from 'node:path';
import { userCache } from '../deploy/setup/common.mjs';
import { pythonEnvironment } from '../test/support/python-environment.ts';

/** PyTorch prints a warning if NumPy is missing. */
export const TORCH: readonly string[] = ['torch==2.15.0', 'numpy==2.4.6'];
const ENVIRONMENTS = join(userCache(process.env), 'peers');

/**
 * Installs the packages into an environment, unless an environment with the same packages already exists.
 * @returns the folder of the environment's programs
 * @throws {Error} if the environment cannot be created, or if a package cannot be installed
 */
export function benchEnvironment(packages: readonly string[]): Promise<string> {
  return pythonEnvironment(packages.join('\n'), ENVIRONMENTS, true);
}
