import { render } from 'ink-testing-library';
import { expect, test } from 'vitest';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { midAnswers, midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { TrialHeading } from './TrialHeading.tsx';

async function heading(change: (trial: Trial) => Trial, columns = 100): Promise<string[]> {
  const at = await sampleDashboard(new SampleSource(midAnswers), { columns: 100, rows: 30 });
  const [, , , , succeeded] = midTrials;
  if (succeeded === undefined) throw new Error('the sample has too few trials');
  const app = render(<TrialHeading model={at.dashboard.model()} trial={change(succeeded)} columns={columns} />);
  const frame = app.lastFrame() ?? '';
  app.unmount();
  at.stop();
  return frame.split('\n').map((line) => line.trimEnd());
}

test('a trial with a result shows its ranks', async () => {
  const lines = await heading((trial) => trial);
  expect(lines.at(-1)).toBe('psnr=16.200 (rank 2)  test_loss=0.19000 (rank 1)  train_loss=0.20000');
});

test('a failed trial has no rank, and shows its error and its output line by line', async () => {
  const failure = { class: 'FAILURE_CLASS_CRASH' as const, message: 'exit code 1: boom\nstderr:\n\tat step 3\n' };
  const lines = await heading((trial) => ({ ...trial, state: 'TRIAL_STATE_FAILED', failure }));
  expect(lines.slice(1, 4)).toEqual(['crash: exit code 1: boom', 'stderr:', '    at step 3']);
  expect(lines.at(-1)).toBe('psnr=16.200  test_loss=0.19000  train_loss=0.20000');
});

test('a trial with a value that is not finite has no rank', async () => {
  const lines = await heading((trial) => ({ ...trial, metrics: { test_loss: Number.NaN } }));
  expect(lines.at(-1)).toBe('test_loss=nan');
});

test('on a narrow terminal, the agent name is shortened in its middle, and facts are omitted instead of cutting the line', async () => {
  const long = (trial: Trial): Trial => ({ ...trial, attempts: 3, agentId: 'gpu-node-rack17-host-0001.example.org' });
  const [wide] = await heading(long, 120);
  expect(wide).toMatch(
    /^trial \w+ {2}succeeded {2}epoch 4\/4 · attempt 3 · gpu-node-rack17-host-0001\.example\.org · wasm · \d/,
  );
  const [narrow] = await heading(long, 80);
  expect(narrow).toMatch(/^trial \w+ {2}succeeded {2}epoch 4\/4 · attempt 3 · gpu-no\S*…\S*\.org · \d/);
  expect(narrow?.length).toBeLessThanOrEqual(80);
});

test('a trial without an attempt is shown as not started', async () => {
  const [line] = await heading((trial) => ({ ...trial, attempts: 0, state: 'TRIAL_STATE_OFFERED', epoch: 0 }));
  expect(line).toMatch(/^trial \w+ {2}pending {2}not started/);
});
