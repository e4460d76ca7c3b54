import { expect, test } from 'vitest';
import type { WatchResponse } from '../proto/gen/trawl/v1/sweep_service.ts';
import { AgentState, FailureClass, Goal, MetricAt, SweepState, TrialState } from '../proto/gen/trawl/v1/types.ts';
import {
  delta,
  endedTrial,
  event,
  runningTrial,
  START_MS,
  sampleAgent,
  sampleSweep,
  sampleTrials,
  snapshot,
  trialAt,
} from '../test/support/dashboard/sample.ts';
import { lineStream } from './lines.ts';

async function linesOf(...updates: WatchResponse[]): Promise<string[]> {
  const lines: string[] = [];
  const stream = (async function* () {
    yield* updates;
  })();
  for await (const line of lineStream(stream)) lines.push(line);
  return lines;
}

const running = runningTrial(0, 0, {});
const epoch1 = runningTrial(0, 1, { train_loss: 0.5, test_loss: 0.4, psnr: 10 });
const epoch2 = runningTrial(0, 2, { train_loss: 0.25, test_loss: 0.2, psnr: 13 });
const ended = endedTrial(0, { train_loss: 0.25, test_loss: 0.2, psnr: 13 });

test('a line is printed when a trial starts, after each epoch, and when the trial ends; the end line has the first and the last loss', async () => {
  const lines = await linesOf(
    snapshot(sampleSweep(), sampleTrials(), []),
    delta({ agents: [sampleAgent()], events: [] }),
    delta({ trials: [running], events: [event('granted', running, 5), event('running', running, 5)] }),
    delta({ trials: [epoch1], events: [event('reported', epoch1, 7)] }),
    delta({ trials: [epoch2], events: [event('reported', epoch2, 9)] }),
    delta({ trials: [ended], events: [event('ended', ended, 9, 'succeeded'), event('succeeded', ended, 9)] }),
  );
  expect(lines).toEqual([
    '+0.0s    sweep autoencoders (7): 8 trials, minimize test_loss',
    '+0.0s    agent agent-1 (box) connected: 2 slots, wasm',
    '+5.0s    trial a0000000 started on agent-1: latent_dim=15 noise_std=0',
    '+7.0s    trial a0000000 epoch 1: test_loss 0.40000, train_loss 0.50000, psnr 10.000',
    '+9.0s    trial a0000000 epoch 2: test_loss 0.20000, train_loss 0.25000, psnr 13.000',
    '+9.0s    trial a0000000 succeeded (1/8): test_loss 0.20000, train_loss 0.50000 -> 0.25000, psnr 13.000, 4.0s',
  ]);
});

test('the line of an epoch shows only a few metrics, and starts with the ranking metric', async () => {
  const lineOf = async (metrics: Record<string, number>) => {
    const reported = runningTrial(0, 1, metrics);
    const lines = await linesOf(
      snapshot(sampleSweep(), sampleTrials(), []),
      delta({ trials: [reported], events: [event('reported', reported, 7)] }),
    );
    return lines.at(-1)?.split('epoch 1: ')[1];
  };
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`m${i}`, i]));
  expect(await lineOf({ constructor: 1, acc: 0.5 })).toBe('acc 0.50000, constructor 1.0000');
  expect(await lineOf({ ...many, test_loss: 2 })).toBe('test_loss 2.0000');
  expect(await lineOf(many)).toBe(
    'm0 0.0000, m1 1.0000, m2 2.0000, m3 3.0000, m4 4.0000, m5 5.0000, m6 6.0000, m7 7.0000, and 2 more metrics',
  );
});

test('a line starts with the metric that the sweep names; if the sweep names no metric, with the first metric of the trials', async () => {
  const reported = runningTrial(0, 1, { zeta: 1, train_loss: 3, acc: 0.5 });
  const done = endedTrial(0, { zeta: 1, train_loss: 3, acc: 0.5 });
  const linesFor = async (name: string) => {
    const sweep = { ...sampleSweep(), metric: { name, goal: Goal.MAXIMIZE, at: MetricAt.LAST, target: undefined } };
    const lines = await linesOf(
      snapshot(sweep, sampleTrials(), []),
      delta({ trials: [reported], events: [event('reported', reported, 7)] }),
      delta({ trials: [done], events: [event('ended', done, 9, 'succeeded'), event('succeeded', done, 9)] }),
    );
    return lines.slice(-2).map((line) => line.replace(/^.*?: /, ''));
  };
  expect(await linesFor('acc')).toEqual([
    'acc 0.50000, train_loss 3.0000',
    'acc 0.50000, train_loss 3.0000 -> 3.0000, 4.0s',
  ]);
  expect(await linesFor('')).toEqual([
    'zeta 1.0000, train_loss 3.0000',
    'zeta 1.0000, train_loss 3.0000 -> 3.0000, 4.0s',
  ]);
});

test('if one update contains the start and the end of a trial, the lines of the trial are in order, with a single end line', async () => {
  const lines = await linesOf(
    snapshot(),
    delta({
      trials: [ended],
      events: ['granted', 'running', 'reported', 'reported', 'ended', 'succeeded'].map((kind) => event(kind, ended, 9)),
    }),
  );
  expect(lines.slice(2).map((line) => line.replace(/:.*/, ''))).toEqual([
    '+9.0s    trial a0000000 started on agent-1',
    '+9.0s    trial a0000000 epoch 2',
    '+9.0s    trial a0000000 succeeded (1/8)',
  ]);
});

test('a retried attempt has a line with its failure class and error message, but a withdrawn offer has no line', async () => {
  const failure = { class: FailureClass.CRASH, message: 'the worker died' };
  const waiting = trialAt(0, { attempts: 1, failure, agentId: 'agent-1' });
  const lines = await linesOf(
    snapshot(),
    delta({ trials: [trialAt(1)], events: [event('pending', trialAt(1), 2, 'the sweep is paused')] }),
    delta({
      trials: [waiting],
      events: [
        event('ended', waiting, 6, 'failed (crash): the worker died'),
        event('pending', waiting, 6, 'crash: the worker died; retry in 10 s'),
      ],
    }),
  );
  expect(lines.slice(2)).toEqual(['+6.0s    trial a0000000 attempt 1 crash: the worker died; retry in 10 s']);
});

test('the end line of a failed trial has its failure class and message', async () => {
  const failed = {
    ...ended,
    state: TrialState.FAILED,
    failure: { class: FailureClass.NAN, message: 'loss is not a number' },
  };
  const lines = await linesOf(snapshot(), delta({ trials: [failed], events: [event('ended', failed, 9)] }));
  expect(lines.at(-1)).toContain('trial a0000000 failed (1/8): nan: loss is not a number');
});

test('the line of a failure shows only the first line of its message, without the output below', async () => {
  const failure = {
    class: FailureClass.CRASH,
    message:
      'ValueError: bad (python3 exited with code 1)\nstderr:\nTraceback (most recent call last):\nValueError: bad',
  };
  const pending = trialAt(0, { attempts: 1, failure, agentId: 'agent-1' });
  const failed = { ...ended, attempts: 2, state: TrialState.FAILED, failure };
  const lines = await linesOf(
    snapshot(),
    delta({
      trials: [pending],
      events: [
        event('ended', pending, 6),
        event('pending', pending, 6, 'crash: ValueError: bad; retry now\nstderr:\nx'),
      ],
    }),
    delta({ trials: [failed], events: [event('ended', failed, 9)] }),
  );
  expect(lines.slice(2)).toEqual([
    '+6.0s    trial a0000000 attempt 1 crash: ValueError: bad; retry now',
    expect.stringContaining('failed (1/8): crash: ValueError: bad (python3 exited with code 1), '),
  ]);
  expect(lines.join('')).not.toMatch(/␊|stderr/);
});

test('no line is printed per epoch if the sweep is large', async () => {
  const large = sampleSweep({ counts: { pending: 51 } });
  const lines = await linesOf(snapshot(large), delta({ trials: [epoch1], events: [event('reported', epoch1, 7)] }));
  expect(lines).toHaveLength(2);
});

test('after a reconnect, an end line is printed for each trial that ended during the outage', async () => {
  const lines = await linesOf(
    snapshot(sampleSweep(), [running, ...sampleTrials().slice(1)]),
    snapshot(sampleSweep({ counts: { pending: 7, succeeded: 1 } }), [ended, ...sampleTrials().slice(1)]),
  );
  expect(lines.slice(2)).toEqual([
    '+9.0s    trial a0000000 succeeded (1/8): test_loss 0.20000, train_loss 0.25000, psnr 13.000, 4.0s',
  ]);
});

test('the first line of a resumed sweep counts the trials that already ended', async () => {
  const lines = await linesOf(snapshot(sampleSweep({ counts: { pending: 5, succeeded: 3 } })));
  expect(lines[0]).toContain('8 trials, minimize test_loss, 3 already ended');
});

test('a line is printed for a lost agent, for a pause with its reason, and for the end of the sweep', async () => {
  const finished = sampleSweep({
    state: SweepState.KILLED,
    endedAtMs: START_MS + 20_000,
    reason: 'enough',
    counts: { succeeded: 1, cancelled: 7 },
  });
  const cancelled = sampleTrials().map((trial) => ({ ...trial, state: TrialState.CANCELLED }));
  const lines = await linesOf(
    snapshot(),
    delta({ agents: [sampleAgent({ state: AgentState.LOST })], events: [event('ended', undefined, 10)] }),
    delta({
      sweep: sampleSweep({ state: SweepState.PAUSED, reason: 'max_failed' }),
      events: [event('x', undefined, 12)],
    }),
    delta({ sweep: finished, trials: cancelled, events: cancelled.map((trial) => event('cancelled', trial, 20)) }),
  );
  expect(lines.slice(2)).toEqual([
    '+10.0s   agent agent-1 (box) lost: no heartbeat',
    '+12.0s   sweep autoencoders paused: max_failed',
    '+20.0s   sweep autoencoders killed: enough: 1 succeeded, 7 cancelled in 20.0s',
  ]);
});

test('control characters in names are made visible', async () => {
  const lines = await linesOf(snapshot(sampleSweep({ name: '\u001b]0;owned\u0007\n' })));
  expect(lines[0]).toContain('sweep ␛]0;owned␇␊ (7)');
});
