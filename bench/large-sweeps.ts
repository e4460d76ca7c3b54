/**
 * Measures whether the cost of a sweep depends on the size of its grid: the times to submit, pause, resume and kill a
 * sweep, and the memory and rows that it needs. The coordinator's code runs in this process, on a store on disk,
 * without agents.
 *
 *   npm run bench:large-sweeps
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { quantile } from 'd3-array';
import { Runtime } from '../coordinator/app/runtime.ts';
import { sweepControl } from '../coordinator/app/sweep-control.ts';
import { openStore } from '../coordinator/store/open.ts';
import { SubmitRequest } from '../proto/gen/trawl/v1/sweep_service.ts';

const SIZES = [1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
const ROUNDS = 7;
const LEASE_MS = 15_000;

const folder = mkdtempSync(join(tmpdir(), 'trawl-large-sweeps-'));
const db = openStore(folder);
const runtime = new Runtime({
  db,
  leaseMs: LEASE_MS,
  send: () => {},
  onBroken: (error) => {
    throw error;
  },
});
const control = sweepControl(runtime);

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T]> {
  const begun = performance.now();
  const result = await work();
  return [performance.now() - begun, result];
}

function heapMiB(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}

interface Costs {
  readonly submitMs: number;
  readonly pauseMs: number;
  readonly resumeMs: number;
  readonly killMs: number;
  readonly heapMiB: number;
  readonly rows: number;
}

async function measure(points: number, round: number): Promise<Costs> {
  const axes = `a: {min: 1, max: 1000, step: 1}, b: {min: 1, max: ${points / 1000}, step: 1}`;
  const text = `trainer: noop\nparameters: {${axes}}\nwhen: [{if: {a: 7}, set: {b: 3}}]\n`;
  const before = heapMiB();
  const request = SubmitRequest.fromPartial({ requestId: `${points}/${round}`, fileName: 'large.yaml', text });
  const [submitMs, sweepId] = await timed(() => control.submit(request));
  const act = (action: 'PAUSE' | 'RESUME' | 'KILL') =>
    timed(() => control.act(sweepId, { action: `SWEEP_ACTION_${action}`, reason: '', priority: 0 }, ''));
  const [pauseMs] = await act('PAUSE');
  const [resumeMs] = await act('RESUME');
  const heap = heapMiB() - before;
  const [killMs] = await act('KILL');
  const { rows } = db.prepare('select count(*) as rows from trials where sweep_id = ?').get(sweepId) as {
    rows: number;
  };
  return { submitMs, pauseMs, resumeMs, killMs, heapMiB: heap, rows };
}

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}; medians of ${ROUNDS} sweeps\n`,
);
console.log('       points    submit     pause    resume      kill      heap   rows');
// The first sweep is not measured, because it also compiles the code.
await measure(1e4, -1);
for (const points of SIZES) {
  const all: Costs[] = [];
  for (let round = 0; round < ROUNDS; round++) all.push(await measure(points, round));
  const median = (of: (costs: Costs) => number) => quantile(all, 0.5, of) ?? 0;
  const ms = (of: (costs: Costs) => number) => `${median(of).toFixed(1)} ms`.padStart(10);
  console.log(
    `${points}`.padStart(13) +
      ms((one) => one.submitMs) +
      ms((one) => one.pauseMs) +
      ms((one) => one.resumeMs) +
      ms((one) => one.killMs) +
      `${median((one) => one.heapMiB).toFixed(1)} MiB`.padStart(10) +
      `${median((one) => one.rows)}`.padStart(7),
  );
}
db.close();
rmSync(folder, { recursive: true, force: true });
