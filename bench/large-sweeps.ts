/**
 * Measures whether the cost of a sweep depends on the size of its grid. The costs are the processor time to submit,
 * pause, resume, load and kill the sweep, and the memory and the rows that it needs. The coordinator's code runs in
 * this process, on a store on disk, without agents. Each round measures every size, so that a change of the machine's
 * load affects all sizes.
 *
 *   npm run bench:large-sweeps
 *   node --expose-gc dist/bench/large-sweeps.js --draw curves.svg      also draws the curves
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { quantile } from 'd3-array';
import { Runtime } from '../coordinator/app/runtime.ts';
import { sweepControl } from '../coordinator/app/sweep-control.ts';
import { loadCore } from '../coordinator/store/load.ts';
import { SqliteReader } from '../coordinator/store/reader.ts';
import { SqliteStore } from '../coordinator/store/sqlite-store.ts';
import { SubmitRequest } from '../proto/gen/trawl/v1/sweep_service.ts';
import { drawCurves } from './large-sweeps/draw-curves.ts';

const SIZES = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const ROUNDS = 18;
const LEASE_MS = 15_000;
/** The number of rounds whose results are not used, because their times include the compilation of the code. */
const WARM_UP_ROUNDS = 3;

const folder = mkdtempSync(join(tmpdir(), 'trawl-large-sweeps-'));
const store = SqliteStore.open(folder);
const { db } = store;
const runtime = await Runtime.open({
  store,
  leaseMs: LEASE_MS,
  send: () => {},
  onBroken: (error) => {
    throw error;
  },
});
const control = sweepControl(runtime);

/** Runs `work`, and returns its result and the processor time that it took. Other load hardly changes this time. */
async function timed<T>(work: () => Promise<T> | T): Promise<[cpuMs: number, result: T]> {
  const begun = process.cpuUsage();
  const result = await work();
  const { user, system } = process.cpuUsage(begun);
  return [(user + system) / 1000, result];
}

function heapMiB(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

const COSTS = [
  { name: 'submit', unit: 'ms' },
  { name: 'pause', unit: 'ms' },
  { name: 'resume', unit: 'ms' },
  { name: 'restart', unit: 'ms' },
  { name: 'kill', unit: 'ms' },
  { name: 'heap', unit: 'MiB' },
  { name: 'rows', unit: '' },
] as const;

type Costs = Readonly<Record<(typeof COSTS)[number]['name'], number>>;

async function measure(points: number, round: number): Promise<Costs> {
  const axes = `a: {min: 1, max: 1000, step: 1}, b: {min: 1, max: ${points / 1000}, step: 1}`;
  const text = `trainer: noop\nparameters: {${axes}}\nwhen: [{if: {a: 7}, set: {b: 3}}]\n`;
  const before = heapMiB();
  const request = SubmitRequest.fromPartial({ requestId: `${points}/${round}`, fileName: 'large.yaml', text });
  const [submit, sweepId] = await timed(() => control.submit(request));
  const act = (action: 'PAUSE' | 'RESUME' | 'KILL') =>
    timed(() => control.act(sweepId, { action: `SWEEP_ACTION_${action}`, reason: '', priority: 0 }, ''));
  const [pause] = await act('PAUSE');
  const [resume] = await act('RESUME');
  const heap = heapMiB() - before;
  const [restart] = await timed(() => loadCore(new SqliteReader(db), { leaseMs: LEASE_MS, now: Date.now() }));
  const [kill] = await act('KILL');
  const { rows } = db.prepare('select count(*) as rows from trials where sweep_id = ?').get(sweepId) as {
    rows: number;
  };
  return { submit, pause, resume, restart, kill, heap, rows };
}

const { values: options } = parseArgs({ options: { draw: { type: 'string' } } });
const load = () => loadavg()[0]?.toFixed(0);
console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}, load average ${load()}; ` +
    `medians of ${ROUNDS} sweeps; processor time\n`,
);
for (let round = 0; round < WARM_UP_ROUNDS; round++) await measure(1e4, -1 - round);
const measured = new Map<number, Costs[]>(SIZES.map((points) => [points, []]));
for (let round = 0; round < ROUNDS; round++) {
  // The order of the sizes rotates, because a write of one sweep can leave work, such as a checkpoint of the store,
  // that is then measured with the next sweep.
  const first = round % SIZES.length;
  for (const points of [...SIZES.slice(first), ...SIZES.slice(0, first)])
    measured.get(points)?.push(await measure(points, round));
}
const curves = COSTS.map(({ name, unit }) => ({
  title: name,
  unit,
  costs: SIZES.map((points) => quantile(measured.get(points) ?? [], 0.5, (costs) => costs[name]) ?? 0),
}));
const shown = (value: number, unit: string) => `${value.toFixed(unit === '' ? 0 : 1)} ${unit}`.trimEnd().padStart(10);
console.log(`${'points'.padStart(13)}${COSTS.map(({ name }) => name.padStart(10)).join('')}`);
SIZES.forEach((points, at) => {
  const cells = curves.map(({ costs, unit }) => shown(costs[at] ?? 0, unit));
  console.log(`${points}`.padStart(13) + cells.join(''));
});
const rises = curves.map(({ costs }) => `${((costs.at(-1) ?? 0) / (costs[0] ?? 1)).toFixed(2)}`.padStart(10));
console.log(`${'10^9 / 10^4'.padStart(13)}${rises.join('')}`);
if (options.draw !== undefined) writeFileSync(options.draw, drawCurves(SIZES, curves, 'points of a sweep'));
db.close();
rmSync(folder, { recursive: true, force: true });
