import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { CHECKOUT } from './checkout.mjs';
import { runAttached } from './run-attached.mjs';
import { setUp } from './set-up.mjs';

/**
 * Sets the checkout up and runs the demonstration sweep in it, in a folder of its own.
 * @param {readonly string[]} args more arguments for `trawl up`; the last of an option given twice counts
 * @returns {Promise<number>} the sweep's exit code
 */
export async function runDemo(args) {
  await setUp();
  const folder = join('.trawl', `demo-${new Date().toISOString().slice(0, 19).replace(/\D/g, '')}`);
  const command = ['up', join('examples', 'mnist-demo.yaml'), '--slots', `${availableParallelism()}`, '--dir', folder];
  return await runAttached(process.execPath, [join('bin', 'trawl.mjs'), ...command, ...args], { cwd: CHECKOUT });
}
