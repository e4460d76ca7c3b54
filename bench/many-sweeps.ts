/**
 * Measures what many sweeps in one store cost the coordinator: nine of ten sweeps have ended, and the others run. The
 * costs are the processor time of a restart, of the list of sweeps (`trawl ls`), of a scrape and of a scheduling pass.
 * The coordinator's code runs in this process, on a store on disk. No agent is connected.
 *
 *   npm run bench:many-sweeps
 *   node --expose-gc dist/bench/many-sweeps.js --draw curves.svg      also draws the curves
 */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { quantile } from 'd3-array';
import { Runtime } from '../coordinator/app/runtime.ts';
import { sweepControl } from '../coordinator/app/sweep-control.ts';
import { schedule } from '../coordinator/core/scheduler.ts';
import { startCollecting } from '../coordinator/metrics/collect.ts';
import { coordinatorMetrics } from '../coordinator/metrics/families.ts';
import { loadCore } from '../coordinator/store/load.ts';
import { SqliteReader } from '../coordinator/store/reader.ts';
import { SqliteStore } from '../coordinator/store/sqlite-store.ts';
import { SubmitRequest } from '../proto/gen/trawl/v1/sweep_service.ts';
import { drawCurves } from './large-sweeps/draw-curves.ts';

const SIZES = [20, 200, 2_000];
const TRIALS = 20;
/** One of every ten sweeps is running. The others have ended. */
const RUNNING = 10;
const REPEATS = 7;
const LEASE_MS = 15_000;

const folder = mkdtempSync(join(tmpdir(), 'trawl-many-sweeps-'));
const store = SqliteStore.open(folder);
const fail = (error: unknown) => {
  throw error;
};
const runtime = await Runtime.open({ store, leaseMs: LEASE_MS, send: () => {}, onBroken: fail });
const control = sweepControl(runtime);
const metrics = coordinatorMetrics();
const collecting = startCollecting(runtime, metrics, { version: '0', trialMetrics: false, lingerMs: 0, onError: fail });

async function cpuMs(work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let at = 0; at < REPEATS; at++) {
    const begun = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(begun);
    times.push((user + system) / 1000);
  }
  return quantile(times, 0.5) ?? 0;
}

async function submit(number: number): Promise<void> {
  const text = `name: s${number}\ntrainer: noop\nparameters: {a: {min: 1, max: ${TRIALS}, step: 1}}\n`;
  const id = await control.submit(SubmitRequest.fromPartial({ requestId: `${number}`, fileName: 's.yaml', text }));
  if (number % RUNNING === 0) return;
  await control.act(id, { action: 'SWEEP_ACTION_KILL', reason: '', priority: 0 }, '');
}

function heapMiB(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}, load average ${loadavg()[0]?.toFixed(0)}; ` +
    `medians of ${REPEATS}, processor time\n`,
);
const column = (value: string | number) => `${value}`.padStart(11);
console.log(
  ['sweeps', 'running', 'submit', 'restart', 'ls', 'scrape', 'series', 'pass', 'heap', 'store'].map(column).join(''),
);
const { values } = parseArgs({ options: { draw: { type: 'string' } } });
const measured: { restart: number; ls: number; scrape: number; heap: number }[] = [];
let submitted = 0;
for (const size of SIZES) {
  const begun = process.cpuUsage();
  const before = submitted;
  while (submitted < size) await submit(submitted++);
  await runtime.flush();
  const { user, system } = process.cpuUsage(begun);
  const each = (user + system) / 1000 / (submitted - before);
  const restart = await cpuMs(() => loadCore(new SqliteReader(store.db), { leaseMs: LEASE_MS, now: Date.now() }));
  const list = await cpuMs(() => runtime.queries.sweeps.all());
  let text = '';
  const scrape = await cpuMs(async () => {
    await collecting.measure();
    text = await metrics.registry.metrics();
  });
  const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
  const pass = await cpuMs(() => schedule(runtime.core, runtime.now()));
  const bytes = ['store.db', 'store.db-wal'].reduce((sum, file) => sum + statSync(join(folder, file)).size, 0);
  const ms = (value: number) => `${value.toFixed(1)} ms`;
  const figures = [size, runtime.core.sweeps.size, ms(each), ms(restart), ms(list), ms(scrape), series, ms(pass)];
  measured.push({ restart, ls: list, scrape, heap: heapMiB() });
  console.log([...figures, `${heapMiB().toFixed(0)} MiB`, `${(bytes / 2 ** 20).toFixed(0)} MiB`].map(column).join(''));
}
if (values.draw !== undefined) {
  const curve = (title: 'restart' | 'ls' | 'scrape' | 'heap', unit: string) => {
    return { title, unit, costs: measured.map((costs) => costs[title]) };
  };
  const curves = [curve('restart', 'ms'), curve('ls', 'ms'), curve('scrape', 'ms'), curve('heap', 'MiB')];
  writeFileSync(values.draw, drawCurves(SIZES, curves, 'sweeps'));
}
collecting.stop();
store.db.close();
rmSync(folder, { recursive: true, force: true });
process.exit(0);
