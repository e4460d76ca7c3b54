import { join } from 'node:path';
import { build, buildProblem } from './build.mjs';
import { CHECKOUT } from './checkout.mjs';
import { checkGeneratedCode } from './generated-code.mjs';
import { runAttached } from './run-attached.mjs';
import { runQuietly } from './run-quietly.mjs';
import { sayer, since } from './say.mjs';
import { setUp } from './set-up.mjs';

/**
 * Everything that has to hold before a change goes in, in the order of how fast it fails: set-up, lint, the wire's
 * rules, generated code, types with the build, tests. Stops at the first that fails.
 * @param {readonly string[]} testArgs handed to vitest: files, folders, options
 * @returns {Promise<number>} the exit code
 */
export async function runChecks(testArgs) {
  const root = CHECKOUT;
  const say = sayer('test');
  const tool =
    (name, ...args) =>
    () =>
      runQuietly(join(root, 'node_modules', '.bin', name), args, { cwd: root });
  await setUp({ root, steps: ['dependencies', 'nats'] });
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
      say(`${name}: failed (${since(start)})\n${error.message}`);
      return 1;
    }
    say(`${name}: ok (${since(start)})`);
  }
  return await runAttached(process.execPath, [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...testArgs], {
    cwd: root,
  });
}
