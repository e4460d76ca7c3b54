import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import { SweepState } from '../proto/gen/trawl/v1/types.ts';
import { type DashboardOptions, runDashboard } from './main.tsx';
import { delta, sampleSweep, snapshot } from './testing/sample.ts';

/** As much of a terminal as Ink asks for. */
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
let release: () => void;
let blocked: Promise<void>;
beforeEach(() => {
  screen = terminal();
  blocked = new Promise((resolve) => {
    release = resolve;
  });
});
afterEach(() => release());

const onInterrupt = vi.fn();

function run(updates: AsyncIterable<WatchResponse>, more: Partial<DashboardOptions> = {}) {
  const stdout = screen.stdout as unknown as NodeJS.WriteStream;
  const stdin = screen.stdin as unknown as NodeJS.ReadStream;
  return runDashboard(updates, { stdout, stdin, colour: false, onInterrupt, ...more });
}

/** A sweep that goes on for as long as the test does. */
async function* goingOn(): AsyncGenerator<WatchResponse> {
  yield snapshot();
  await blocked;
}

const drawn = (what: string) => vi.waitFor(() => expect(screen.text()).toContain(what));

test('ends with the stream, and leaves its last word on the screen', async () => {
  const finished = sampleSweep({ state: SweepState.FINISHED, counts: { succeeded: 8 } });
  const updates = (async function* () {
    yield snapshot();
    yield delta({ sweep: finished });
  })();
  expect(await run(updates)).toBe('ended');
  expect(screen.text()).toContain('100% 8/8');
  expect(screen.raw.at(-1)).toBe(false);
});

test('q leaves while the sweep goes on, and gives the terminal back', async () => {
  const result = run(goingOn());
  await drawn('autoencoders');
  screen.stdin.write('q');
  expect(await result).toBe('left');
  expect(screen.raw.at(-1)).toBe(false);
  expect(screen.stdout.listenerCount('resize')).toBe(0);
});

test('Ctrl-C is told to the caller, whose signal takes the dashboard away', async () => {
  const stop = new AbortController();
  onInterrupt.mockImplementation(() => stop.abort());
  const result = run(goingOn(), { signal: stop.signal });
  await drawn('autoencoders');
  screen.stdin.write('\u0003');
  expect(await result).toBe('left');
  expect(onInterrupt).toHaveBeenCalledTimes(1);
});

test('an error of the stream is thrown once the terminal is given back', async () => {
  const updates = (async function* (): AsyncGenerator<WatchResponse> {
    yield snapshot();
    throw new Error('gone for good');
  })();
  await expect(run(updates)).rejects.toThrow('gone for good');
  expect(screen.raw.at(-1)).toBe(false);
});
