import { render } from 'ink-testing-library';
import stringWidth from 'string-width';
import { expect, test, vi } from 'vitest';
import type { WatchResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { FailureClass, SweepState, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { EMPTY_STATE } from '../state/dashboard-state.ts';
import { reduceAll } from '../state/reducer.ts';
import {
  delta,
  endedTrial,
  event,
  runningTrial,
  START_MS,
  sampleAgent,
  sampleSweep,
  snapshot,
  trialAt,
} from '../testing/sample.ts';
import { App } from './app.tsx';

const ROWS = 24;
const COLUMNS = 80;

function draw(updates: readonly WatchResponse[], size = { columns: COLUMNS, rows: ROWS }) {
  const onLeave = vi.fn();
  const onInterrupt = vi.fn();
  const state = reduceAll(EMPTY_STATE, updates);
  const app = render(
    <App state={state} now={START_MS + 15_000} {...size} colour={false} onLeave={onLeave} onInterrupt={onInterrupt} />,
  );
  const frame = () => (app.lastFrame() ?? '').split('\n');
  return { frame, press: (keys: string) => app.stdin.write(keys), onLeave, onInterrupt, unmount: app.unmount };
}

const metrics = (i: number) => ({ train_loss: 0.3 - i / 100, test_loss: 0.2 - i / 100, psnr: 10 + i });
const inMidSweep = [
  snapshot(),
  delta({
    sweep: sampleSweep({ counts: { pending: 2, running: 2, succeeded: 3, failed: 1 } }),
    trials: [
      ...[0, 1, 2].map((i) => endedTrial(i, metrics(i))),
      {
        ...trialAt(3, { failure: { class: FailureClass.OOM, message: 'out of memory \u001b[2J' } }),
        state: TrialState.FAILED,
      },
      runningTrial(4, 1, metrics(4)),
      runningTrial(5, 0, {}),
    ],
    events: [event('granted', runningTrial(5, 0, {}), 12, 'to agent agent-1, slot 1')],
    agents: [sampleAgent({ busy: 2 })],
  }),
];

function expectToFit(frame: string[], { columns, rows } = { columns: COLUMNS, rows: ROWS }) {
  // Ink clears the screen at every frame when a frame is as high as the terminal.
  expect(frame.length).toBeLessThan(rows);
  for (const line of frame) expect(stringWidth(line)).toBeLessThanOrEqual(columns);
}

test('a sweep of 8 trials in mid-run fits on 80x24 with all that matters', () => {
  const { frame, unmount } = draw(inMidSweep);
  const lines = frame();
  expectToFit(lines);
  const text = lines.join('\n');
  expect(lines[0]).toBe('autoencoders  7  running');
  expect(lines[1]).toMatch(/^█+×+▒+░+ {2}50% 4\/8$/);
  expect(text).toContain('2 pending · 2 running · 3 succeeded · 1 failed · 15.0s');
  expect(text).toContain('18.0 trials/min · about 13.3s left · 1 of 1 agents, 2/2 slots busy wasm');
  expect(text).toMatch(/^1 +1 +0\.16000 +14\.000 +c0000000 +50 +0 +1 +running$/m);
  expect(text).toMatch(/^4 +4 +0\.20000 +10\.000 +a0000000 +15 +0 +2 +succeeded$/m);
  expect(text).toContain('epoch 1/2 10.0s loss 0.26000 agent-1 latent_dim=50 noise_std=0');
  expect(text).toContain('+12.0s c1000000 granted to agent agent-1, slot 1');
  unmount();
});

test('a failure is shown with its class, and its message cannot steer the terminal', () => {
  const { frame, unmount } = draw(inMidSweep);
  const text = frame().join('\n');
  expect(text).toContain('failed 1');
  expect(text).toContain('b1000000 oom: out of memory ␛[2J');
  expect(text).not.toContain('\u001b');
  unmount();
});

test('a hostile name is shown and not obeyed', () => {
  const name = '\u001b[2J\u001b]0;owned\u0007\r\nsecond line';
  const { frame, unmount } = draw([snapshot(sampleSweep({ name }))]);
  expectToFit(frame());
  expect(frame()[0]).toContain('␛[2J␛]0;owned␇␍␊second line');
  unmount();
});

test('before anything is known it says that it connects', () => {
  const { frame, unmount } = draw([]);
  expect(frame().join('\n')).toContain('connecting');
  expectToFit(frame());
  unmount();
});

test.each([
  { columns: 40, rows: 12 },
  { columns: 20, rows: 8 },
  { columns: 200, rows: 60 },
])('fits on $columns x $rows', (size) => {
  const { frame, unmount } = draw(inMidSweep, size);
  expectToFit(frame(), size);
  unmount();
});

test('j and k scroll the leaderboard and stop at its ends', async () => {
  const size = { columns: COLUMNS, rows: 16 };
  const all = Array.from({ length: 8 }, (_, i) => endedTrial(i, metrics(i)));
  const done = sampleSweep({ state: SweepState.FINISHED, counts: { succeeded: 8 } });
  const { frame, press, unmount } = draw([snapshot(), delta({ sweep: done, trials: all })], size);
  const first = () => frame()[5] ?? '';
  expect(first()).toMatch(/^1 +1 /);
  press('k');
  press('j');
  await vi.waitFor(() => expect(first()).toMatch(/^2 +2 /));
  for (let i = 0; i < 20; i++) press('j');
  await vi.waitFor(() => expect(frame().join('\n')).toMatch(/^8 +8 .*$/m));
  expect(first()).not.toBe('');
  for (let i = 0; i < 20; i++) press('k');
  await vi.waitFor(() => expect(first()).toMatch(/^1 +1 /));
  unmount();
});

test('q leaves, Ctrl-C interrupts, and neither does the other', async () => {
  const { press, onLeave, onInterrupt, unmount } = draw(inMidSweep);
  press('q');
  await vi.waitFor(() => expect(onLeave).toHaveBeenCalledTimes(1));
  expect(onInterrupt).not.toHaveBeenCalled();
  press('\u0003');
  await vi.waitFor(() => expect(onInterrupt).toHaveBeenCalledTimes(1));
  expect(onLeave).toHaveBeenCalledTimes(1);
  unmount();
});
