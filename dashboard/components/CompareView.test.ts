import { expect, test } from 'vitest';
import { midAnswers, midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { sampleSweep, snapshot } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';

/** The trials of four configs with two finished replicates each. */
const trials = midTrials.map((trial) => {
  const loss = 0.2 + 0.1 * Math.floor(trial.index / 2) + 0.001 * (trial.index % 2);
  return {
    ...trial,
    state: 'TRIAL_STATE_SUCCEEDED' as const,
    failure: undefined,
    metrics: { test_loss: loss },
    epoch: 4,
  };
});
const answers = { ...midAnswers, updates: [snapshot(sampleSweep({ configs: 4, replicates: 2 }), trials)] };

async function compared(columns: number, marks: number): Promise<string> {
  const at = await sampleDashboard(new SampleSource(answers), { columns, rows: 70 });
  await at.press(...new Array<string>(marks).fill(' '), 'c');
  await at.settle();
  const text = at.frame().join('\n');
  at.stop();
  return text;
}

test('for each further row, the comparison shows whether it is better than the first row, and the interval of the difference', async () => {
  const text = await compared(160, 3);
  expect(text).toContain('3 compared');
  expect(text).toContain('test_loss, lower is better');
  expect(text).toMatch(/b is worse than a: \+0\.10000 \(9[\d.]+% interval \+0\.09\d+ to \+0\.10\d+\)/);
  expect(text).toMatch(/c is worse than a: \+0\.20000/);
  expect(text).toContain('test_loss, mean ± standard deviation');
});

test('on a narrow terminal, the comparison names the marked rows that do not fit', async () => {
  const narrow = await compared(80, 4);
  expect(narrow).toMatch(/3 of 4 marked shown: no room for c\dd00000/);
  expect(await compared(160, 4)).toContain('4 compared');
});

test('a long value of a compared row is shortened, so that the other rows remain visible', async () => {
  const path = (index: number) => `/data/shared/projects/alpha/v${Math.floor(index / 2)}/train.parquet`;
  const long = trials.map((trial) => {
    const kind = { $case: 'text' as const, text: path(trial.index) };
    return { ...trial, parameters: { ...trial.parameters, dataset_path: { kind } } };
  });
  const updates = [snapshot(sampleSweep({ configs: 4, replicates: 2 }), long)];
  const at = await sampleDashboard(new SampleSource({ ...midAnswers, updates }), { columns: 80, rows: 24 });
  await at.press(' ', ' ', ' ', 'c');
  await at.settle();
  const text = at.frame().join('\n');
  expect(text).toContain('3 compared');
  expect(text).toMatch(/a c\dd00000 +b c\dd00000 +c c\dd00000/);
  expect(text).toMatch(/dataset_path.*v\d….*v\d….*v\d…/);
  at.stop();
});

test('the reconstructions of two rows are side by side on a wide terminal, and one below the other on a narrow terminal', async () => {
  const count = (text: string) =>
    text.split('\n').filter((line) => line.split('reconstructions after epoch').length > 2).length;
  expect(count(await compared(160, 2))).toBe(1);
  expect(count(await compared(80, 2))).toBe(0);
});

test('with many metrics, a small terminal shows the verdicts and curves without scrolling, and the number of omitted metrics', async () => {
  const names = ['test_loss', 'accuracy', 'f1', 'precision', 'psnr', 'recall', 'throughput'];
  const wide = trials.map((trial) => {
    const loss = trial.metrics.test_loss ?? 0;
    return { ...trial, metrics: Object.fromEntries(names.map((name) => [name, loss])) };
  });
  const source = new SampleSource({
    ...midAnswers,
    updates: [snapshot(sampleSweep({ configs: 4, replicates: 2 }), wide)],
  });
  for (const size of [
    { columns: 80, rows: 23 },
    { columns: 160, rows: 23 },
  ]) {
    const at = await sampleDashboard(source, size);
    await at.press(' ', ' ', ' ', 'c');
    await at.settle();
    const text = at.frame().join('\n');
    expect(text).toMatch(/b is worse than a/);
    expect(text).toMatch(/c is worse than a/);
    expect(text).toMatch(/test_loss +0\.2/);
    expect(text).toMatch(/3 compared; \d more metrics? \(m: next metric\)/);
    expect(text).toContain('test_loss, mean ±');
    at.stop();
  }
});
