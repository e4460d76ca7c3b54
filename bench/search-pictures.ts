/**
 * Draws the pictures of docs/search-gallery.md, docs/early-stopping.md and docs/pbt.md from recorded results, and
 * prints a table of the results. With --run, first runs the sweeps of examples/mnist and records their results.
 *
 *   npm run pictures:search
 *   npm run pictures:search -- --run all [--dir DIR] [--slots 2]
 *   npm run pictures:search -- --run tpe,asha
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import type { CurveRow } from '../bin/export/curve-rows.ts';
import type { sweepJson, TrialJson } from '../bin/output/json.ts';
import { packageRoot } from '../bin/package.ts';
import {
  dataFile,
  docsFile,
  exampleFile,
  isRecorded,
  PICTURED,
  type Pictured,
  pictureOf,
  picturePath,
  readRun,
} from './search-pictures/examples.ts';
import { bestOf, lossOf, recordedRun, runText } from './search-pictures/recorded-run.ts';

const { values: options } = parseArgs({
  options: { run: { type: 'string', default: '' }, dir: { type: 'string' }, slots: { type: 'string', default: '2' } },
});
const run = promisify(execFile);

async function trawl(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(packageRoot(), 'bin', 'trawl.mjs'), ...args], {
    maxBuffer: 2 ** 28,
  });
  return stdout;
}

async function record(name: Pictured, folder: string): Promise<void> {
  const dir = join(folder, name);
  await trawl('up', exampleFile(name), '--slots', options.slots, '--dir', dir);
  const read = async <T>(...args: string[]): Promise<T> => JSON.parse(await trawl(...args, '--dir', dir));
  const sweep = await read<ReturnType<typeof sweepJson>>('show', 'last', '-o', 'json');
  const trials = await read<TrialJson[]>('trials', 'last', '-o', 'json');
  const curves = await read<CurveRow[]>('export', 'last', '--curves', '-f', 'json');
  mkdirSync(dirname(dataFile(name)), { recursive: true });
  writeFileSync(dataFile(name), runText(recordedRun(name, sweep, trials, curves)));
}

function requested(): Pictured[] {
  const names = options.run === 'all' ? PICTURED : options.run.split(',').filter((name) => name !== '');
  return names.map((name) => {
    const known = PICTURED.find((one) => one === name);
    if (known === undefined) throw new Error(`unknown example "${name}"; known examples: all, ${PICTURED.join(', ')}`);
    return known;
  });
}

const folder = options.dir ?? mkdtempSync(join(tmpdir(), 'trawl-search-pictures-'));
for (const name of requested()) {
  console.error(`${new Date().toISOString()} ${name} in ${folder}`);
  await record(name, folder);
}
if (requested().length > 0)
  console.log(`machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}`);

console.log('| sweep | trials | epochs | seconds | best test loss | learning rate | latent dimension |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const name of PICTURED.filter(isRecorded)) {
  writeFileSync(docsFile(picturePath(name)), `${pictureOf(name)}\n`);
  const recorded = readRun(name);
  const best = recorded.trials[bestOf(recorded)];
  if (best === undefined) continue;
  const epochs = recorded.trials.reduce((sum, { losses }) => sum + losses.length, 0);
  const { learning_rate, latent_dim } = best.parameters;
  const cells = [name, recorded.trials.length, epochs, recorded.seconds, lossOf(best).toFixed(4), learning_rate];
  console.log(`| ${[...cells, latent_dim ?? ''].join(' | ')} |`);
}
