/**
 * The dashboard: cost of watching a large sweep with many reports, and time until it responds to a key.
 *
 *   npm run bench:dashboard
 *
 * `trawl top` runs in its own process in a pseudo-terminal of 160 x 50, with a gRPC server in this process that sends
 * 10,000 trials and then a delta of 100 reports ten times a second. Then 100,000 trials are sorted by every column and
 * scrolled in this process.
 */
import { cpus, loadavg, totalmem } from 'node:os';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { spawn } from '@lydell/node-pty';
import headless from '@xterm/headless';
import { serveCanned } from '../test/support/cli/canned-service.ts';
import { LiveSweep } from './dashboard/live-sweep.ts';
import { scrollAndSort } from './dashboard/scroll-and-sort.tsx';
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

async function measureWatch(): Promise<void> {
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
  const trawl = fileURLToPath(new URL('../../bin/trawl.mjs', import.meta.url));
  const screen = new headless.Terminal({ ...SIZE, allowProposedApi: true });
  const top = spawn(process.execPath, [trawl, 'top', '--server', server.address], {
    ...SIZE,
    env: { ...process.env, TERM: 'xterm-256color', LANG: 'C.UTF-8' },
  });
  let onUpdate: () => void = () => {};
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
  console.log(`${TRIALS} trials, ${(REPORTS_PER_DELTA * 1000) / DELTA_MS} reports per second, 160 x 50, ${seconds} s`);
  console.log(`frames per second           ${((updates - shown) / seconds).toFixed(1)}`);
  console.log(`CPU                         ${(((cpuSeconds(top.pid) - cpu) / seconds) * 100).toFixed(0)} % of a core`);
  console.log(`written to the terminal     ${((bytes - sent) / seconds / 1024).toFixed(1)} KiB per second`);

  const pane = () => /\[(\w+)\]/.exec(screen.buffer.active.getLine(5)?.translateToString() ?? '')?.[1];
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
  console.log(`key to frame, median        ${percentile(waits, 0.5).toFixed(1)} ms`);
  console.log(`key to frame, 95 of 100     ${percentile(waits, 0.95).toFixed(1)} ms`);
  console.log(`peak memory                 ${(peakBytes(top.pid) / 2 ** 20).toFixed(0)} MiB\n`);
  top.kill();
  server.stop();
}

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}; load ${loadavg()[0]?.toFixed(1)}\n`,
);
await measureWatch();
await scrollAndSort(100_000, percentile);
process.exit(0);
