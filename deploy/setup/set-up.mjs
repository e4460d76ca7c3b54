import { join } from 'node:path';
import { placeAgain } from '../libtensorflow/placement.mjs';
import { setUpNative, setUpNativeForGpu } from '../libtensorflow/set-up-native.mjs';
import { build, buildProblem } from './build.mjs';
import { CHECKOUT } from './checkout.mjs';
import { dependenciesProblem, installDependencies } from './dependencies.mjs';
import { withLock } from './lock.mjs';
import { findNatsServer } from './nats/find.mjs';
import { sayer, since } from './say.mjs';

/** Taken when none is named. */
export const STEPS = ['dependencies', 'build', 'nats'];
/** Taken when asked for, and without steps where an NVIDIA GPU is seen: gigabytes that most machines have no use for. */
export const EXTRA_STEPS = ['native'];

/**
 * Makes a checkout ready to run: see ../setup.d.mts.
 * @param {import('../setup.mjs').SetUpOptions} [options]
 * @returns {Promise<import('../setup.mjs').SetUpResult>}
 */
export async function setUp({ root = CHECKOUT, steps: named, say = sayer('set-up'), native = {} } = {}) {
  const steps = named ?? STEPS;
  if (steps.includes('dependencies')) {
    await whenNeeded(root, say, 'dependencies', 'npm ci', dependenciesProblem, installDependencies);
    for (const name of placeAgain(root)) say(`native: ${name} has its libtensorflow again, from the cache`);
  }
  if (steps.includes('build')) await whenNeeded(root, say, 'build', 'tsc', buildProblem, build);
  if (steps.includes('native')) await setUpNative({ root, say, ...native });
  else if (named === undefined) await setUpNativeForGpu(root, say);
  if (!steps.includes('nats')) return {};
  const start = performance.now();
  const nats = await findNatsServer({ install: true, say: (line) => say(`nats-server: ${line}`) });
  const where = nats.kind === 'running' ? 'runs at the address in TRAWL_NATS' : `at ${nats.path}`;
  say(`nats-server: ${nats.version} ${where} (${since(start)})`);
  return { nats };
}

/** Looks first, so that a set-up with nothing to do is instant, and again once it is this process's turn. */
async function whenNeeded(root, say, name, how, problemOf, mend) {
  const start = performance.now();
  if (problemOf(root) !== null) {
    await withLock(join(root, '.trawl', 'set-up.lock'), say, async () => {
      const problem = problemOf(root);
      if (problem === null) return;
      say(`${name}: ${problem}; ${how} ...`);
      await mend(root);
    });
  }
  say(`${name}: ready (${since(start)})`);
}
