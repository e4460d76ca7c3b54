import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT } from './common.mjs';
import { runAttached } from './run.mjs';
import { setUp } from './set-up.mjs';

/**
 * Sets up the checkout and runs the demo sweep in a new folder.
 * @param {readonly string[]} args further arguments for `trawl up`; they override the demo's own
 * @returns {Promise<number>} the exit code of the sweep
 */
export async function runDemo(args) {
  await setUp();
  const folder = join('.trawl', `demo-${new Date().toISOString().slice(0, 19).replace(/\D/g, '')}`);
  const command = ['up', join('examples', 'mnist-demo.yaml'), '--slots', `${availableParallelism()}`, '--dir', folder];
  return await runAttached(process.execPath, [join('bin', 'trawl.mjs'), ...command, ...args], { cwd: CHECKOUT });
}
