/** Measures the time from a key to a drawn frame with a very large sweep. */
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { render } from 'ink';
import { App } from '../../dashboard/components/App.tsx';
import { Dashboard } from '../../dashboard/dashboard.ts';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { LiveSweep } from './live-sweep.ts';

const SIZE = { columns: 160, rows: 49 };
const MAX_FPS = 60;

export async function scrollAndSort(
  trials: number,
  percentile: (values: readonly number[], share: number) => number,
): Promise<void> {
  const sweep = new LiveSweep(trials);
  sweep.delta(trials);
  const source = new SampleSource({ updates: sweep.snapshot() });
  const ignore = () => {};
  const dashboard = new Dashboard(source, {
    style: { color: true, ascii: false },
    kitty: false,
    readonly: true,
    banner: '',
    size: SIZE,
    now: Date.now,
    onLeave: ignore,
    onInterrupt: ignore,
    onCopy: ignore,
    onEnded: ignore,
    onFailed: ignore,
  });
  await dashboard.watch('last');
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  for (let i = 0; i < 2 + trials / 500; i++) await turn();
  const output = new Writable({
    write: (_chunk, _encoding, done) => {
      output.emit('frame');
      done();
    },
  });
  const stdout = Object.assign(output, { isTTY: true, columns: SIZE.columns }) as unknown as NodeJS.WriteStream;
  const stdin = Object.assign(new Writable(), {
    isTTY: true,
    setEncoding: ignore,
    setRawMode: ignore,
    ref: ignore,
    unref: ignore,
    read: () => null,
  }) as unknown as NodeJS.ReadStream;
  const begun = performance.now();
  dashboard.tick();
  const ink = render(<App dashboard={dashboard} frameSize={() => SIZE} />, {
    stdout,
    stdin,
    patchConsole: false,
    exitOnCtrlC: false,
    incrementalRendering: true,
    maxFps: MAX_FPS,
  });
  console.log(`${trials} trials: the first frame       ${(performance.now() - begun).toFixed(0)} ms`);

  const summary = (all: readonly number[]) =>
    `median ${percentile(all, 0.5).toFixed(1)}, 90th percentile ${percentile(all, 0.9).toFixed(1)}, max ${Math.max(...all).toFixed(1)}`;
  const time = async (label: string, keys: readonly string[]) => {
    // On a busy machine, CPU times can be compared, but wall times cannot.
    const cpu: number[] = [];
    const times: number[] = [];
    for (const key of keys) {
      await sleep(2_000 / MAX_FPS);
      const used = process.cpuUsage();
      const from = performance.now();
      const drawn = once(output, 'frame');
      dashboard.press({ input: key, key: {} });
      await drawn;
      const { user, system } = process.cpuUsage(used);
      cpu.push((user + system) / 1000);
      times.push(performance.now() - from);
    }
    console.log(`${label.padEnd(28)} ${summary(times)} ms; CPU ${summary(cpu)} ms (${times.length})`);
  };
  const repeat = (keys: string, times: number) => [...keys.repeat(times)];
  await time('scroll: j', repeat('j', 100));
  await time('scroll: to the end and back', repeat('Gg', 10));
  const folds: number[] = [];
  for (let i = 0; i < 30; i++) {
    await sleep(2_000 / MAX_FPS);
    source.push(sweep.delta(100));
    await turn();
    await turn();
    const from = performance.now();
    const drawn = once(output, 'frame');
    dashboard.tick();
    await drawn;
    folds.push(performance.now() - from);
  }
  console.log(
    `${'100 reports to a frame'.padEnd(34)} median ${percentile(folds, 0.5).toFixed(1)} ms, max ${Math.max(...folds).toFixed(1)} ms (${folds.length})`,
  );
  await time('sort by another column', repeat('s', 16));
  await time('reverse the order', repeat('r', 6));
  dashboard.stop();
  ink.unmount();
}
