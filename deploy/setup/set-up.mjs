import { join } from 'node:path';
import { restorePlacement } from '../libtensorflow/placement.mjs';
import { setUpNative, setUpNativeForGpu } from '../libtensorflow/set-up-native.mjs';
import { build, buildProblem } from './build.mjs';
import { CHECKOUT, elapsed, progressLogger } from './common.mjs';
import { dependenciesProblem, installDependencies } from './dependencies.mjs';
import { withLock } from './lock.mjs';
import { findNatsServer } from './nats/find.mjs';

/** The steps that run by default. */
export const STEPS = ['dependencies', 'build', 'nats'];
/**
 * Steps that run on request, because they need gigabytes of disk. `native` also runs by default where an NVIDIA GPU is
 * found.
 */
export const EXTRA_STEPS = ['native'];

/**
 * @typedef {object} SetUpOptions
 * @property {string} [root] the checkout to set up; default: the one that contains this file
 * @property {readonly string[]} [steps] from STEPS and EXTRA_STEPS; they run in a fixed order. Default: STEPS, and
 * `native` where an NVIDIA GPU is found
 * @property {{from?: string, variant?: 'cpu' | 'cuda'}} [native] options of the step `native`: path of a libtensorflow
 * library, and its variant. Default: the library is downloaded, in the variant for GPUs if a GPU is found
 * @property {(line: string) => void} [log] receives progress lines; default: stderr
 */

/**
 * @typedef {object} SetUpResult
 * @property {import('./nats/find.mjs').NatsServer} [nats] set by the step `nats`
 */

/**
 * Prepares a checkout. Skips steps that are already done. Several processes can call this function at the same time.
 * @param {SetUpOptions} [options]
 * @returns {Promise<SetUpResult>}
 * @throws {import('./run.mjs').CommandError}
 * @throws {import('./nats/find.mjs').NatsServerNotFoundError}
 * @throws {import('./nats/find.mjs').NatsServerUnusableError}
 */
export async function setUp({ root = CHECKOUT, steps: named, log = progressLogger('setup'), native = {} } = {}) {
  const steps = named ?? STEPS;
  if (steps.includes('dependencies')) {
    await runIfNeeded(root, log, {
      name: 'dependencies',
      command: 'npm ci',
      problemOf: dependenciesProblem,
      run: installDependencies,
    });
    for (const name of restorePlacement(root)) log(`native: restored libtensorflow for ${name} from the cache`);
  }
  if (steps.includes('build')) {
    await runIfNeeded(root, log, { name: 'build', command: 'tsc', problemOf: buildProblem, run: build });
  }
  if (steps.includes('native')) await setUpNative({ root, log, ...native });
  else if (named === undefined) await setUpNativeForGpu(root, log);
  if (!steps.includes('nats')) return {};
  const start = performance.now();
  const nats = await findNatsServer({ install: true, log: (line) => log(`nats-server: ${line}`) });
  const where = nats.kind === 'running' ? 'is running at the address in TRAWL_NATS' : `at ${nats.path}`;
  log(`nats-server: ${nats.version} ${where} (${elapsed(start)})`);
  return { nats };
}

/**
 * Runs a step if it is needed. The first check is made without the lock, so that a complete setup returns immediately.
 * The second check is made with the lock, because another process may have run the step in the meantime.
 * @param {string} root
 * @param {(line: string) => void} log
 * @param {{name: string, command: string, problemOf: (root: string) => string | null,
 *   run: (root: string) => Promise<void>}} step
 */
async function runIfNeeded(root, log, { name, command, problemOf, run }) {
  const start = performance.now();
  if (problemOf(root) !== null) {
    await withLock(join(root, '.trawl', 'set-up.lock'), log, async () => {
      const problem = problemOf(root);
      if (problem === null) return;
      log(`${name}: ${problem}; running ${command} ...`);
      await run(root);
    });
  }
  log(`${name}: ready (${elapsed(start)})`);
}
