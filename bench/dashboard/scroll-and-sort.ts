/** Time from a key to a drawn frame with a very large sweep. */
import { performance } from 'node:perf_hooks';
import { Dashboard } from '../../dashboard/dashboard.ts';
import { paintStyledLine } from '../../dashboard/draw/paint.ts';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { LiveSweep } from './live-sweep.ts';

const SIZE = { columns: 160, rows: 50 };
const STYLE = { colour: true, ascii: false };

export async function scrollAndSort(
  trials: number,
  percentile: (values: readonly number[], share: number) => number,
): Promise<void> {
  const sweep = new LiveSweep(trials);
  sweep.delta(trials);
  const source = new SampleSource({ updates: sweep.snapshot() });
  const ignore = () => {};
  const dashboard = new Dashboard(source, {
    style: STYLE,
    kitty: false,
    readonly: true,
    banner: '',
    size: () => SIZE,
    now: Date.now,
    onChange: ignore,
    onLeave: ignore,
    onInterrupt: ignore,
    onEnded: ignore,
    onFailed: ignore,
  });
  await dashboard.watch('last');
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 2 + trials / 500; i++) await turn();
  const begun = performance.now();
  dashboard.tick();
  paint(dashboard);
  console.log(`${trials} trials: the first frame       ${(performance.now() - begun).toFixed(0)} ms`);

  const time = (label: string, keys: readonly string[]) => {
    // CPU time is comparable on a busy machine, wall time is not.
    const cpu: number[] = [];
    const times = keys.map((key) => {
      const used = process.cpuUsage();
      const from = performance.now();
      dashboard.press({ input: key, key: {} });
      paint(dashboard);
      const { user, system } = process.cpuUsage(used);
      cpu.push((user + system) / 1000);
      return performance.now() - from;
    });
    const summary = (all: readonly number[]) =>
      `median ${percentile(all, 0.5).toFixed(1)}, 90th percentile ${percentile(all, 0.9).toFixed(1)}, max ${Math.max(...all).toFixed(1)}`;
    console.log(`${label.padEnd(28)} ${summary(times)} ms; CPU ${summary(cpu)} ms (${times.length})`);
  };
  const repeat = (keys: string, times: number) => [...keys.repeat(times)];
  time('scroll: j', repeat('j', 100));
  time('scroll: to the end and back', repeat('Gg', 10));
  time('sort by another column', repeat('s', 16));
  time('reverse the order', repeat('r', 6));

  const folds: number[] = [];
  for (let i = 0; i < 30; i++) {
    source.push(sweep.delta(100));
    await turn();
    await turn();
    const from = performance.now();
    dashboard.tick();
    paint(dashboard);
    folds.push(performance.now() - from);
  }
  console.log(
    `${'100 reports to a frame'.padEnd(34)} median ${percentile(folds, 0.5).toFixed(1)} ms, max ${Math.max(...folds).toFixed(1)} ms (${folds.length})`,
  );
  dashboard.stop();
}

function paint(dashboard: Dashboard): void {
  for (const line of dashboard.frame()) paintStyledLine(line, SIZE.columns, STYLE);
}
