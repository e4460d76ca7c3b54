import { expect, test } from 'vitest';
import { endedTrial, runningTrial, sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import type { ParameterImportance } from '../source.ts';
import { shownEffects } from './effects.ts';

const SIZE = { columns: 120, rows: 40 };
const trials = [
  endedTrial(0, { test_loss: 1 }),
  endedTrial(1, { test_loss: 2 }),
  endedTrial(2, { test_loss: 4 }),
  runningTrial(3, 1, { test_loss: 900 }),
];

async function effectsOf(importance?: ParameterImportance) {
  const updates = [snapshot(sampleSweep(), trials)];
  const at = await sampleDashboard(
    new SampleSource(importance === undefined ? { updates } : { updates, importance }),
    SIZE,
  );
  await at.press('2');
  const effects = shownEffects(at.dashboard.model());
  at.stop();
  return effects;
}

test('without an analysis of variance, only the mean of the finished trials is shown for each value of a parameter', async () => {
  const { effects, scale } = await effectsOf();
  const noise = effects.find(({ parameter }) => parameter === 'noise_std');
  expect(noise).toMatchObject({ share: undefined, significant: undefined });
  expect(noise?.levels.map(({ value, mean, n }) => [value, mean, n])).toEqual([
    ['0', 2.5, 2],
    ['0.5', 2, 1],
  ]);
  expect(scale).toEqual({ low: 1.5, high: 4 });
});

test('an analysis of a metric other than the displayed metric is not shown', async () => {
  const other = { metric: 'psnr', why: 'something', estimated: true, effects: [], interactions: [] };
  expect(await effectsOf(other)).toMatchObject({ why: '', estimated: false });
});
