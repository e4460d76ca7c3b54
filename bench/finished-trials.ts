/**
 * Measures whether the cost of a sweep depends on how many of its trials have ended. The costs are the times of a
 * restart, a ranking and other calls, and the memory of the coordinator. For each number of ended trials, a separate
 * process opens a store on disk, as after a restart. No agent is connected. The ranking is also measured for a sweep
 * with three trials per config. Early stopping has cut off about half of these trials. For this sweep, the store has no
 * attempts, reports or events, because a ranking reads only the rows of trials.
 *
 *   npm run bench:large-sweeps
 *   node dist/bench/finished-trials.js [--trials 1000000] [--draw curves.svg]
 *
 * `--draw` draws the costs of the first sweep.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import { COSTS, type Costs } from './large-sweeps/costs.ts';
import { drawCurves } from './large-sweeps/draw-curves.ts';
import type { EndedTrials } from './large-sweeps/fill-store.ts';

const SIZES = [1e4, 1e5, 1e6];
const { values } = parseArgs({ options: { trials: { type: 'string' }, draw: { type: 'string' } } });
const sizes = values.trials === undefined ? SIZES : [Number(values.trials)];

/** The costs that are drawn. */
const DRAWN: readonly (keyof Costs)[] = ['restartMs', 'bestMs', 'showMs', 'residentMiB'];

const SWEEPS: readonly (Omit<EndedTrials, 'count'> & { readonly title: string })[] = [
  { title: 'one trial per config', replicates: 1, cutOff: false, hasRecords: true },
  { title: 'three trials per config, half of the trials cut off', replicates: 3, cutOff: true, hasRecords: false },
];

const run = promisify(execFile);
const filler = fileURLToPath(new URL('./large-sweeps/fill-store.js', import.meta.url));
const opener = fileURLToPath(new URL('./large-sweeps/open-store.js', import.meta.url));

async function measure(trials: EndedTrials): Promise<Costs> {
  const folder = mkdtempSync(join(tmpdir(), 'trawl-finished-trials-'));
  try {
    // A separate process fills the store, because the store stays open until the process that filled it exits.
    await run(process.execPath, [filler, folder, JSON.stringify(trials)]);
    const { stdout } = await run(process.execPath, ['--expose-gc', opener, folder]);
    return JSON.parse(stdout);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}; load ${(loadavg()[0] ?? 0).toFixed(1)}\n`,
);
for (const [at, { title, ...trials }] of SWEEPS.entries()) {
  const measured: Costs[] = [];
  console.log(`${title}\n${'ended trials'.padStart(13)}${COSTS.map((cost) => cost.title.padStart(11)).join('')}`);
  for (const count of sizes) {
    const costs = await measure({ ...trials, count });
    const cells = COSTS.map(({ name, unit }) => `${costs[name].toFixed(unit === 'ms' ? 1 : 0)} ${unit}`.padStart(11));
    console.log(`${count}`.padStart(13) + cells.join(''));
    measured.push(costs);
  }
  if (at === 0 && values.draw !== undefined) writeFileSync(values.draw, curvesOf(measured));
}

function curvesOf(measured: readonly Costs[]): string {
  const curves = COSTS.filter(({ name }) => DRAWN.includes(name)).map(({ name, title, unit }) => {
    return { title, unit, costs: measured.map((costs) => costs[name]) };
  });
  return drawCurves(sizes, curves, 'ended trials');
}
