import { expect, test } from 'vitest';
import { TRAINERS, withDefaults } from '../../proto/trainers.ts';
import { noopLoss } from './noop.ts';
import { trainerNamed } from './registry.ts';
import { recordedRun } from './run.fixture.ts';
import type { TrainingRun } from './trainer.ts';

async function run(given: TrainingRun['parameters'], signal = new AbortController().signal) {
  const seen = recordedRun({ parameters: withDefaults(TRAINERS.noop, given), signal });
  await trainerNamed('noop')?.run(seen);
  return seen.reports.map(({ epoch, metrics }) => ({ epoch, loss: metrics.test_loss }));
}

test('every epoch is reported in order, and the loss decreases', async () => {
  const reports = await run({ a: 1, epochs: 5 });
  expect(reports.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5]);
  const losses = reports.map(({ loss }) => loss ?? Number.NaN);
  for (const [i, loss] of losses.slice(1).entries()) expect(loss).toBeLessThan(losses[i] ?? 0);
});

test('the loss depends on the parameters, but not on their order or the duration of the trial', () => {
  const loss = noopLoss({ a: 1, b: 'x', epochs: 1, duration_ms: 0 });
  expect(noopLoss({ b: 'x', a: 1, epochs: 9, duration_ms: 50 })).toBe(loss);
  expect(noopLoss({ a: 2, b: 'x' })).not.toBe(loss);
  const losses = Array.from({ length: 1000 }, (_, a) => noopLoss({ a }));
  expect(new Set(losses).size).toBe(1000);
  expect(losses.every((each) => each >= 0.1 && each < 1.1)).toBe(true);
});

test('an epoch lasts duration_ms', async () => {
  const start = performance.now();
  await run({ epochs: 3, duration_ms: 20 });
  expect(performance.now() - start).toBeGreaterThan(55);
});

const LONG: readonly TrainingRun['parameters'][] = [{ duration_ms: 60_000 }, { epochs: 100_000 }];

test.each(LONG)('if a run is stopped, it throws the reason for the stop (%o)', async (given) => {
  const stop = new AbortController();
  const reason = new Error('killed');
  setImmediate(() => stop.abort(reason));
  await expect(run(given, stop.signal)).rejects.toBe(reason);
});
