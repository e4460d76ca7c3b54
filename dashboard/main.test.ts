import { PassThrough } from 'node:stream';
import { beforeEach, expect, test, vi } from 'vitest';
import { midAnswers } from '../test/support/dashboard/mid-sweep.ts';
import { delta, sampleSweep } from '../test/support/dashboard/sample.ts';
import { PLAIN } from '../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../test/support/dashboard/sample-source.ts';
import { type DashboardOptions, drawOnce, runDashboard } from './main.tsx';
import type { Source } from './source.ts';

const WAIT = { timeout: 20_000 };

function terminal() {
  const raw: boolean[] = [];
  const stdout = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 });
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (mode: boolean) => raw.push(mode),
    ref: () => {},
    unref: () => {},
  });
  let text = '';
  stdout.on('data', (chunk) => {
    text += chunk;
  });
  return { stdout, stdin, raw, text: () => text };
}

let screen: ReturnType<typeof terminal>;
let source: SampleSource;
beforeEach(() => {
  screen = terminal();
  source = new SampleSource(midAnswers);
});

function run(more: Partial<DashboardOptions> = {}, from: Source = source) {
  const stdout = screen.stdout as unknown as NodeJS.WriteStream;
  const stdin = screen.stdin as unknown as NodeJS.ReadStream;
  return runDashboard(from, { stdout, stdin, sweep: 'last', style: PLAIN, ...more });
}

const ESCAPE = '\u001b';
const drawn = (what: string) => vi.waitFor(() => expect(screen.text()).toContain(what), WAIT);

function expectRestored() {
  expect(screen.raw.at(-1)).toBe(false);
  expect(screen.text()).toContain(`${ESCAPE}[?1049h`);
  expect(screen.text().endsWith(`${ESCAPE}[?25h${ESCAPE}[?1049l`)).toBe(true);
  expect(screen.stdout.listenerCount('resize')).toBe(0);
}

test('q closes the dashboard and restores the terminal', async () => {
  const result = run();
  await drawn('autoencoders');
  screen.stdin.write('q');
  expect(await result).toBe('left');
  expectRestored();
});

test('endWithSweep closes the dashboard when the sweep ends', async () => {
  const result = run({ endWithSweep: true });
  await drawn('autoencoders');
  source.push(delta({ sweep: sampleSweep({ state: 'SWEEP_STATE_FINISHED', counts: { succeeded: 8 } }) }));
  source.end();
  expect(await result).toBe('ended');
  expectRestored();
});

test('Ctrl-C calls onInterrupt if it is given; otherwise, Ctrl-C closes the dashboard', async () => {
  const stop = new AbortController();
  const onInterrupt = vi.fn(() => stop.abort());
  const result = run({ onInterrupt, signal: stop.signal });
  await drawn('autoencoders');
  screen.stdin.write('\u0003');
  expect(await result).toBe('left');
  expect(onInterrupt).toHaveBeenCalledTimes(1);
  screen = terminal();
  const alone = run();
  await drawn('autoencoders');
  screen.stdin.write('\u0003');
  expect(await alone).toBe('left');
  expectRestored();
});

test('a stream error is thrown after the terminal is restored', async () => {
  class Gone extends SampleSource {
    override async *watch() {
      yield* midAnswers.updates;
      await new Promise((resolve) => setTimeout(resolve, 300));
      throw new Error('gone for good');
    }
  }
  await expect(run({}, new Gone(midAnswers))).rejects.toThrow('gone for good');
  expectRestored();
});

test('a resize redraws the whole screen', async () => {
  const result = run();
  await drawn('autoencoders');
  const before = screen.text().length;
  Object.assign(screen.stdout, { columns: 100, rows: 30 });
  screen.stdout.emit('resize');
  await vi.waitFor(() => expect(screen.text().slice(before)).toMatch(/\[2J[\s\S]*autoencoders/), WAIT);
  screen.stdin.write('q');
  await result;
});

test('only changed lines are written', async () => {
  const result = run();
  await drawn('c2d00000');
  const before = screen.text().length;
  screen.stdin.write('/');
  await drawn('/█');
  expect(screen.text().slice(before)).not.toContain('c2d00000');
  screen.stdin.write('\u0003');
  await result;
});

test('without a terminal, drawOnce returns one complete frame that is no wider than the requested width', async () => {
  for (const columns of [60, 80, 240]) {
    const text = await drawOnce(source, { sweep: 'last', style: PLAIN, size: { columns, rows: 30 } });
    const lines = text.split('\n');
    expect(lines.length).toBeLessThanOrEqual(30);
    expect(lines.at(-1)).toBe('');
    expect(lines.at(-2)).toMatch(/\S/);
    expect(text).not.toContain('? help');
    expect(lines[0]).toContain('autoencoders  7  running');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
    expect(text.includes('█▃▂▁')).toBe(columns > 80);
  }
});
