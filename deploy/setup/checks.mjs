import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { build, buildProblem } from './build.mjs';
import { CHECKOUT, elapsed, messageOf, progressLogger } from './common.mjs';
import { checkGeneratedCode } from './generated-code.mjs';
import { runAttached, runQuietly } from './run.mjs';
import { setUp } from './set-up.mjs';

const RELEASE_ROUNDS = {
  TRAWL_FAULT_ROUNDS: '20',
  TRAWL_FAULT_AWAY: '120s',
  TRAWL_FUZZ_ROUNDS: '20',
  // The seeds differ between runs, so each run tests different random values and messages. A failed property test
  // prints its seed, and so does each round of random messages.
  TRAWL_FUZZ_SEED: String(Date.now() % 1_000_000),
  TRAWL_PROPERTY_SEED: String(Date.now() % 1_000_000),
  TRAWL_PROPERTY_RUNS: '1000',
  TRAWL_CLUSTER: 'all',
  TRAWL_REPLICATED_ROUNDS: '20',
  TRAWL_TAKEOVER_ROUNDS: '20',
  TRAWL_LARGE_REPORTS: '1400',
  TRAWL_FRAMEWORKS: 'all',
  TRAWL_NATS_VERSIONS: 'all',
  TRAWL_POSTGRES_VERSIONS: 'all',
  TRAWL_NODE_VERSIONS: 'all',
  TRAWL_SIMULATION_SEEDS: '5000',
};

/**
 * @typedef {object} Suite
 * @property {boolean} checks whether lint, generated code and types are checked first
 * @property {readonly string[]} vitest arguments of vitest
 * @property {Readonly<Record<string, string>>} env defaults for environment variables
 */

/** @type {Readonly<Record<string, Suite>>} */
const SUITES = {
  fast: { checks: true, vitest: ['--project', 'unit', '--project', 'system'], env: {} },
  // Slow test files spend more than half of their time waiting for leases, outages and elections. Therefore the number
  // of files that run at once is higher than the number of cores.
  slow: {
    checks: false,
    vitest: ['--project', 'slow', `--poolOptions.forks.maxForks=${availableParallelism() + 4}`],
    env: {},
  },
  release: {
    checks: false,
    vitest: [
      '--project',
      'system',
      '--project',
      'slow',
      'test/faults',
      'test/fuzz',
      'test/cluster',
      'test/frameworks',
      'test/node-versions',
      'test/simulation',
    ],
    env: RELEASE_ROUNDS,
  },
};

/**
 * Sets up the checkout and runs a suite. The fast suite starts with the static checks, the fastest check first. If a
 * check fails, no later check and no test runs.
 * @param {string} name `fast`, `slow` or `release`
 * @param {readonly string[]} testArgs files, folders and options for vitest
 * @returns {Promise<number>} the exit code
 */
export async function runSuite(name, testArgs) {
  const suite = SUITES[name];
  if (suite === undefined) throw new Error(`unknown suite ${name} (one of: ${Object.keys(SUITES).join(', ')})`);
  const root = CHECKOUT;
  const start = performance.now();
  await setUp({ root, steps: suite.checks ? ['dependencies', 'nats'] : ['dependencies', 'build', 'nats'] });
  if (suite.checks && !(await staticChecksPass(root))) return 1;
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const code = await runAttached(process.execPath, [vitest, 'run', ...suite.vitest, ...testArgs], {
    cwd: root,
    env: { ...suite.env, ...process.env },
  });
  progressLogger('test')(`${name} suite: ${code === 0 ? 'ok' : 'failed'} (${elapsed(start)}, setup included)`);
  return code;
}

/**
 * @param {string} root of the checkout
 * @returns {Promise<boolean>} whether all pass
 */
async function staticChecksPass(root) {
  const log = progressLogger('test');
  /** @type {(name: string, ...args: string[]) => () => Promise<unknown>} */
  const tool =
    (name, ...args) =>
    () =>
      runQuietly(join(root, 'node_modules', '.bin', name), args, { cwd: root });
  /** @type {[name: string, run: () => Promise<unknown>][]} */
  const checks = [
    ['lint', tool('biome', 'check', '--colors=off', '.')],
    ['wire', tool('buf', 'lint')],
    ['unused code', tool('knip', '--no-progress')],
    ['generated code', async () => checkGeneratedCode(root)],
    ['types and build', async () => (buildProblem(root) === null ? undefined : build(root))],
  ];
  for (const [name, run] of checks) {
    const start = performance.now();
    try {
      await run();
    } catch (error) {
      log(`${name}: failed (${elapsed(start)})\n${messageOf(error)}`);
      return false;
    }
    log(`${name}: ok (${elapsed(start)})`);
  }
  return true;
}
