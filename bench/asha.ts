/**
 * Compares ASHA with a full grid of 256 autoencoder configs: how many epochs ASHA uses, and how much worse its best
 * config is than the best config of the grid. The unit of this difference is the standard deviation between replicates.
 * All trials are trained by `trawl up`. To continue an interrupted run, run the command again with the same folder.
 *
 *   npm run bench:asha -- [--dir DIR] [--slots 2] [--orders 5] [--eta N] [--variants stopping,promotion]
 */
import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs, promisify } from 'node:util';
import { max, mean, variance } from 'd3-array';
import type { TrialJson } from '../bin/output/json.ts';
import { packageRoot } from '../bin/package.ts';
import { type Losses, replay, VARIANTS, type Variant } from './asha/replay.ts';

const AXES = {
  dataset: ['mnist', 'fashion-mnist'],
  depth: [3, 5],
  latent_dim: [8, 16, 32, 64],
  lambda_l1: [0, 1e-7, 1e-6, 1e-5],
  noise_std: [0, 0.5],
  learning_rate: [1e-3, 3e-3],
};
const EPOCHS = 10;
const FIXED = { train_size: 1000, test_size: 500, epochs: EPOCHS };
/** The number of the grid's best configs that are also trained with the seeds in `SEEDS`. */
const REPLICATED = 4;
const SEEDS = [1, 2, 3, 4, 5];
/** ASHA's best config is also judged after this share of the grid's epochs. */
const SHARE = 1 / 5;
const REPLAYS = 1000;
const ETAS = [2, 3, 4, 5, 6, 8];

const { values: options } = parseArgs({
  options: {
    dir: { type: 'string', default: join(tmpdir(), 'trawl-bench-asha') },
    slots: { type: 'string', default: '2' },
    orders: { type: 'string', default: '5' },
    eta: { type: 'string' },
    variants: { type: 'string', default: VARIANTS.join(',') },
  },
});
const run = promisify(execFile);

type SweepFile = Readonly<Record<string, unknown>>;

const valuesOf = (axes: Readonly<Record<string, readonly unknown[]>>) =>
  Object.fromEntries(Object.entries(axes).map(([name, values]) => [name, { values }]));
const fixed = Object.fromEntries(Object.entries(FIXED).map(([name, value]) => [name, { value }]));

function sweepFile(parameters: SweepFile, more: SweepFile): SweepFile {
  const metric = { name: 'test_loss', goal: 'minimize' };
  return { trainer: 'autoencoder', metric, parameters: { ...parameters, ...fixed }, checkpoint_every: 0, ...more };
}

const grid = (more: SweepFile) => sweepFile(valuesOf(AXES), { seeds: [0], ...more });

async function trawl(...args: string[]): Promise<string> {
  const { stdout } = await run(process.execPath, [join(packageRoot(), 'bin', 'trawl.mjs'), ...args], {
    maxBuffer: 2 ** 28,
  });
  return stdout;
}

/** Runs a sweep to its end in a folder of its own, and returns that folder. */
async function trained(name: string, sweep: SweepFile): Promise<string> {
  mkdirSync(options.dir, { recursive: true });
  const file = join(options.dir, `${name}.json`);
  const folder = join(options.dir, name);
  writeFileSync(file, JSON.stringify({ name: `asha-${name}`, ...sweep }, null, 2));
  console.error(`${new Date().toISOString()} ${name} (load ${loadavg()[0]?.toFixed(1)})`);
  await trawl('up', file, '--slots', options.slots, '--dir', folder);
  return folder;
}

async function trialsIn(folder: string): Promise<TrialJson[]> {
  return JSON.parse(await trawl('trials', 'last', '--dir', folder, '-o', 'json'));
}

const lossOf = ({ metrics }: TrialJson): number => metrics.test_loss ?? Number.NaN;
const total = (values: Iterable<number>): number => [...values].reduce((sum, value) => sum + value, 0);

interface Report {
  readonly trial: string;
  readonly epoch: number;
  readonly at: string;
  readonly metrics: { readonly test_loss: number };
}

/** Returns the reports of all trials, in chronological order. */
async function reportsIn(folder: string): Promise<Report[]> {
  const reports: Report[] = JSON.parse(await trawl('export', 'last', '--curves', '-f', 'json', '--dir', folder));
  return reports.sort((one, other) => Date.parse(one.at) - Date.parse(other.at));
}

/** Returns the loss curve of each trial. The key is the id of the trial. */
async function curvesIn(folder: string): Promise<Map<string, Losses>> {
  const curves = new Map<string, number[]>();
  for (const { trial, epoch, metrics } of await reportsIn(folder)) {
    const curve = curves.get(trial) ?? [];
    curves.set(trial, curve);
    curve[epoch - 1] = metrics.test_loss;
  }
  return curves;
}

/** Returns the leader after each report: the trial whose last loss so far is the lowest. Each report is one epoch. */
function leaders(reports: readonly Report[]): string[] {
  const last = new Map<string, number>();
  return reports.map(({ trial, metrics }) => {
    last.set(trial, metrics.test_loss);
    return [...last].reduce((one, other) => (other[1] < one[1] ? other : one))[0];
  });
}

function replicatesOf(best: readonly TrialJson[]): SweepFile {
  const names = Object.keys(AXES);
  const columns = names.map((name) => [name, best.map(({ parameters }) => parameters[name])] as const);
  return sweepFile(valuesOf(Object.fromEntries(columns)), { zip: [names], seeds: SEEDS });
}

console.log(`machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}, ${options.slots} slots`);
const gridFolder = await trained('grid', grid({}));
const trials = (await trialsIn(gridFolder)).sort((one, other) => lossOf(one) - lossOf(other));
const best = trials.slice(0, REPLICATED);
const replicates = await trialsIn(await trained('replicates', replicatesOf(best)));
const deviations = best.map((first) => {
  const same = replicates.filter(({ config }) => config === first.config);
  return Math.sqrt(variance([first, ...same], lossOf) ?? Number.NaN);
});
const sd = Math.sqrt(mean(deviations, (deviation) => deviation ** 2) ?? Number.NaN);
const lowest = Math.min(...trials.map(lossOf));
const gridEpochs = total(trials.map(({ epoch }) => epoch));
const finalLoss = new Map(trials.map((trial) => [trial.trial, lossOf(trial)]));
const within = trials.filter((trial) => lossOf(trial) <= lowest + sd).length;

console.log(`grid: ${trials.length} configs, ${gridEpochs} epochs, backend ${trials[0]?.backend}`);
console.log(
  `best test_loss ${lowest.toFixed(4)}; ${SEEDS.length + 1} replicates of the best ${REPLICATED} configs: ` +
    `standard deviation ${sd.toFixed(4)} (${deviations.map((one) => one.toFixed(4)).join(', ')})`,
);
console.log(`${within} configs are within one standard deviation of the best\n`);

const curves = await curvesIn(gridFolder);
console.log(
  `replays of ${REPLAYS} orders with the curves of the grid: mean share of the grid's epochs (largest share), ` +
    "share of the orders whose best config is within one SD of the grid's best config",
);
for (const eta of ETAS) {
  const cells = VARIANTS.map((variant) => {
    const runs = Array.from({ length: REPLAYS }, (_, seed) =>
      replay(curves, { variant, eta, seed, slots: Number(options.slots) }),
    );
    const shares = runs.map(({ epochs }) => epochs / gridEpochs);
    const found = runs.filter(({ best }) => (finalLoss.get(best) ?? Number.NaN) <= lowest + sd).length;
    return `${variant} ${percent(mean(shares))} (${percent(max(shares))}), ${percent(found / REPLAYS)}`;
  });
  console.log(`eta ${eta}: ${cells.join('; ')}`);
}

const budget = Math.floor(SHARE * gridEpochs);
const distanceOf = (trial: string | undefined) => ((finalLoss.get(trial ?? '') ?? Number.NaN) - lowest) / sd;
console.log(`\nASHA: the leading config after ${budget} epochs (a fifth of the epochs of the grid)`);
console.log(
  '| variant | order | distance of the leader from the best config after a fifth of the epochs of the grid, in SDs | number of epochs after which the leader stays within one SD of the best config | epochs of the sweep | distance of the leader from the best config at the end, in SDs | trials that completed all epochs |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const variant of options.variants.split(',') as Variant[]) {
  let passed = 0;
  for (let order = 1; order <= Number(options.orders); order++) {
    const folder = await trained(`${variant}-${options.eta ?? 'default'}-${order}`, ashaSweep(variant, order));
    const reports = await reportsIn(folder);
    const leading = leaders(reports);
    const distance = distanceOf(leading[Math.min(budget, leading.length) - 1]);
    if (distance <= 1) passed++;
    const from = leading.findLastIndex((trial) => !(distanceOf(trial) <= 1)) + 2;
    const full = reports.filter(({ epoch }) => epoch === EPOCHS).length;
    const epochs = `${reports.length} (${percent(reports.length / gridEpochs)})`;
    const cells = [variant, order, distance.toFixed(2), from, epochs, distanceOf(leading.at(-1)).toFixed(2), full];
    console.log(`| ${cells.join(' | ')} |`);
  }
  console.log(
    `${variant}: after a fifth of the grid's epochs, the leader is within one SD of the best config ` +
      `in ${passed} of ${options.orders} orders`,
  );
}

function ashaSweep(variant: Variant, order: number): SweepFile {
  const rule = { type: 'asha', variant, ...(options.eta === undefined ? {} : { eta: Number(options.eta) }) };
  const more = { order: 'shuffled', seed: order, early_terminate: rule };
  // A promoted trial resumes from its checkpoint, so a checkpoint is stored after every epoch.
  return grid(variant === 'promotion' ? { ...more, checkpoint_every: 1 } : more);
}

function percent(share: number | undefined): string {
  return `${(100 * (share ?? Number.NaN)).toFixed(1)} %`;
}
