import { join } from 'node:path';
import { build, buildProblem } from './build.mjs';
import { CHECKOUT, elapsed, messageOf, progressLogger } from './common.mjs';
import { checkGeneratedCode } from './generated-code.mjs';
import { runAttached, runQuietly } from './run.mjs';
import { setUp } from './set-up.mjs';

/**
 * Runs all checks that a change must pass, the fastest first: setup, lint, rules for the .proto files, generated code,
 * types with the build, tests. Stops at the first failure.
 * @param {readonly string[]} testArgs passed to vitest: files, folders, options
 * @returns {Promise<number>} the exit code
 */
export async function runChecks(testArgs) {
  const root = CHECKOUT;
  const log = progressLogger('test');
  /**
   * @param {string} name
   * @param {...string} args
   */
  const tool =
    (name, ...args) =>
    () =>
      runQuietly(join(root, 'node_modules', '.bin', name), args, { cwd: root });
  await setUp({ root, steps: ['dependencies', 'nats'] });
  /** @type {[name: string, run: () => Promise<unknown>][]} */
  const steps = [
    ['lint', tool('biome', 'check', '--colors=off', '.')],
    ['wire', tool('buf', 'lint')],
    ['generated code', () => checkGeneratedCode(root)],
    ['types and build', async () => (buildProblem(root) === null ? undefined : await build(root))],
  ];
  for (const [name, run] of steps) {
    const start = performance.now();
    try {
      await run();
    } catch (error) {
      log(`${name}: failed (${elapsed(start)})\n${messageOf(error)}`);
      return 1;
    }
    log(`${name}: ok (${elapsed(start)})`);
  }
  return await runAttached(process.execPath, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...testArgs], {
    cwd: root,
  });
}
