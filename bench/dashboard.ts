/**
 * Measures the dashboard: the cost of watching a large sweep with many reports, and the time until the dashboard
 * responds to a key.
 *
 *   npm run bench:dashboard                  # this build alone
 *   npm run bench:dashboard -- BEFORE        # this build and the build in the folder BEFORE, a built checkout
 *
 * `trawl top` runs in its own process in a pseudo-terminal of 160 x 50. A gRPC server in this process sends 10,000
 * trials, and then a delta of 100 reports ten times a second. Each delta changes a visible row, because a frame that
 * equals the previous one is not written, and only written frames are counted. Two builds are measured alternately,
 * three times each, and the medians are compared. Afterward, 100,000 trials are sorted by every column and scrolled in
 * this process.
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';
import { serveCanned } from '../test/support/cli/canned-service.ts';
import { LiveSweep } from './dashboard/live-sweep.ts';
import { cpuSeconds, peakBytes } from './process-figures.ts';

const TRIALS = 10_000;
const REPORTS_PER_DELTA = 100;
const DELTA_MS = 100;
const WARM_UP_MS = 5_000;
const MEASURED_MS = 20_000;
const KEYS = 100;
const SIZE = { cols: 160, rows: 50 };

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN;

const ROUNDS = 3;

interface Figures {
  /** The time from the start of the process to the first frame. */
  readonly firstFrameMs: number;
  /** The time from the start of the process to the first frame that shows the sweep. */
  readonly sweepMs: number;
  readonly framesPerSecond: number;
  readonly cpuPercent: number;
  readonly kibPerSecond: number;
  readonly keyMedianMs: number;
  readonly keyP95Ms: number;
  readonly peakMib: number;
}

const LABELS: readonly (readonly [keyof Figures, string, string])[] = [
  ['firstFrameMs', 'start to first frame', ' ms'],
  ['sweepMs', 'start to the sweep', ' ms'],
  ['framesPerSecond', 'frames per second', ''],
  ['cpuPercent', 'CPU', ' % of a core'],
  ['kibPerSecond', 'written to the terminal', ' KiB per second'],
  ['keyMedianMs', 'key to frame, median', ' ms'],
  ['keyP95Ms', 'key to frame, 95th percentile', ' ms'],
  ['peakMib', 'peak memory', ' MiB'],
];

/** @param checkout a folder with a build of trawl */
async function measureWatch(checkout: string): Promise<Figures> {
  const sweep = new LiveSweep(TRIALS);
  const server = await serveCanned({
    getSweep: (_call, callback) => callback(null, { sweep: sweep.row, text: '' }),
    listCurves: (call) => call.end(),
    watch: (call) => {
      for (const message of sweep.snapshot()) call.write(message);
      const timer = setInterval(() => call.write(sweep.delta(REPORTS_PER_DELTA)), DELTA_MS);
      call.on('close', () => clearInterval(timer));
      call.on('cancelled', () => clearInterval(timer));
    },
  });
  const screen = new headless.Terminal({ ...SIZE, allowProposedApi: true });
  const header = () =>
    Array.from({ length: 8 }, (_, row) => screen.buffer.active.getLine(row)?.translateToString() ?? '').join('\n');
  let [firstFrameMs, sweepMs] = [Number.NaN, Number.NaN];
  const noteStart = () => {
    if (!Number.isNaN(sweepMs)) return;
    const ms = performance.now() - started;
    const text = header();
    if (Number.isNaN(firstFrameMs) && text.trim() !== '') firstFrameMs = ms;
    if (text.includes(`/${TRIALS}`)) sweepMs = ms;
  };
  const started = performance.now();
  const top = spawn(process.execPath, [join(checkout, 'bin', 'trawl.mjs'), 'top', '--server', server.address], {
    ...SIZE,
    env: { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' },
  });
  let onUpdate: () => void = noteStart;
  let bytes = 0;
  let updates = 0;
  top.onData((text) => {
    bytes += text.length;
    updates += text.split('\u001b[?2026l').length - 1;
    screen.write(text, () => onUpdate());
  });
  await sleep(WARM_UP_MS);
  const [cpu, sent, shown] = [cpuSeconds(top.pid), bytes, updates];
  await sleep(MEASURED_MS);
  const seconds = MEASURED_MS / 1000;
  const figures = {
    framesPerSecond: (updates - shown) / seconds,
    cpuPercent: ((cpuSeconds(top.pid) - cpu) / seconds) * 100,
    kibPerSecond: (bytes - sent) / seconds / 1024,
  };
  const pane = () => /\[(sweep|agents)\]/.exec(header())?.[1];
  const waits: number[] = [];
  for (let i = 0; i < KEYS; i++) {
    const [key, name] = i % 2 === 0 ? ['3', 'agents'] : ['1', 'sweep'];
    const begun = performance.now();
    const handled = new Promise<void>((resolve) => {
      onUpdate = () => {
        if (pane() === name) resolve();
      };
    });
    top.write(key);
    await handled;
    waits.push(performance.now() - begun);
    await sleep(30 + (i % 7) * 10);
  }
  const peakMib = peakBytes(top.pid) / 2 ** 20;
  top.kill();
  server.stop();
  return {
    firstFrameMs,
    sweepMs,
    ...figures,
    keyMedianMs: percentile(waits, 0.5),
    keyP95Ms: percentile(waits, 0.95),
    peakMib,
  };
}

function report(now: readonly Figures[], before: readonly Figures[]): void {
  const middle = (all: readonly Figures[], name: keyof Figures) =>
    percentile(
      all.map((one) => one[name]),
      0.5,
    );
  console.log(
    `${TRIALS} trials, ${(REPORTS_PER_DELTA * 1000) / DELTA_MS} reports per second, 160 x 50, ${MEASURED_MS / 1000} s, median of ${now.length}`,
  );
  for (const [name, label, unit] of LABELS) {
    const own = middle(now, name);
    const other =
      before.length === 0
        ? ''
        : `; before ${middle(before, name).toFixed(1)}, ratio ${(own / middle(before, name)).toFixed(2)}`;
    console.log(`${label.padEnd(30)} ${own.toFixed(1)}${unit}${other}`);
  }
  console.log('');
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const [before] = process.argv.slice(2);
const figures: Record<'now' | 'before', Figures[]> = { now: [], before: [] };

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; load ${loadavg()[0]?.toFixed(1)}\n`,
);
for (let round = 0; round < ROUNDS; round++) {
  if (before !== undefined) figures.before.push(await measureWatch(before));
  figures.now.push(await measureWatch(root));
}
report(figures.now, figures.before);
process.env.NODE_ENV = 'production';
const { scrollAndSort } = await import('./dashboard/scroll-and-sort.tsx');
await scrollAndSort(100_000, percentile);
process.exit(0);
