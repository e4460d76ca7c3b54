import { stripVTControlCharacters } from 'node:util';
import { render } from 'ink-testing-library';
import { expect, test } from 'vitest';
import { FailureClass, type Trial, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { midAnswers, midSweep, midTrials } from '../../test/support/dashboard/mid-sweep.ts';
import { START_MS, snapshot } from '../../test/support/dashboard/sample.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { viewOf } from '../state/ui.ts';
import { ErrorsTable } from './ErrorsTable.tsx';

const TRACEBACK =
  'torch.OutOfMemoryError: CUDA out of memory\nTraceback (most recent call last):\n\tFile "train.py", line 9';

const failed = (index: number, failure: Trial['failure'], agentId: string): Trial => {
  const [trial] = midTrials.slice(index, index + 1);
  if (trial === undefined) throw new Error(`the sample has no trial ${index}`);
  return { ...trial, state: TrialState.FAILED, failure, agentId, endedAtMs: START_MS + 1_000 * index };
};

const oom = (output: string) => ({ class: FailureClass.OOM, message: output });
const trials: readonly Trial[] = [
  ...midTrials.slice(0, 3),
  failed(3, oom('torch.OutOfMemoryError: CUDA out of memory\nearlier output'), 'gpu-1'),
  failed(4, { class: FailureClass.NAN, message: 'loss is nan' }, 'gpu-1'),
  failed(5, oom(TRACEBACK), 'gpu-2'),
  ...midTrials.slice(6),
];
const sweep = { ...midSweep, counts: { ...midSweep.counts, succeeded: 3, failed: 3 } as typeof midSweep.counts };

async function start(rows: readonly Trial[] = trials, messages: readonly string[] = []) {
  const warnings = messages.map((message) => {
    return { kind: 'WARNING_KIND_SILENT' as const, message, count: 1, sinceMs: 1 };
  });
  const source = new SampleSource({
    ...midAnswers,
    updates: [snapshot({ ...sweep, warnings }, [...rows])],
    retry: () => ({ sweep, retried: 2 }),
  });
  const at = await sampleDashboard(source, { columns: 100, rows: 30 });
  await at.press('6');
  const view = () => viewOf(at.dashboard.model().ui);
  const drawn = (): string[] => {
    const app = render(<ErrorsTable model={at.dashboard.model()} columns={100} lines={22} />);
    // Another test in the same process may have enabled colors, so escape sequences are removed.
    const frame = stripVTControlCharacters(app.lastFrame() ?? '');
    const lines = frame.split('\n').map((line) => line.trimEnd());
    app.unmount();
    return lines;
  };
  return { ...at, source, view, drawn };
}

test('failures are grouped by class and error, and each group shows the number of trials, the age of the last failure, and the agents', async () => {
  const at = await start();
  const [heading, first, second] = at.drawn();
  expect(heading).toMatch(/^trials +class +error +last +agents$/);
  expect(first).toMatch(/^ +2 +oom +torch\.OutOfMemoryError: CUDA out of memory +10\.0s ago +gpu-1, gpu-2$/);
  expect(second).toMatch(/^ +1 +nan +loss is nan +11\.0s ago +gpu-1$/);
  at.stop();
});

test('for the group under the cursor, the view shows the trials, and all output lines of the newest failure', async () => {
  const at = await start();
  expect(at.drawn().slice(4).filter(Boolean)).toEqual([
    'oom: torch.OutOfMemoryError: CUDA out of memory',
    '2 trials: 3e1f2a3b, 5e1f2a3b',
    'output of trial 5e1f2a3b:',
    'Traceback (most recent call last):',
    '    File "train.py", line 9',
  ]);
  await at.press('j');
  expect(at.drawn().slice(4).filter(Boolean)).toEqual(['nan: loss is nan', '1 trial: 4e1f2a3b']);
  at.stop();
});

test('the errors view shows a message if no trial has failed', async () => {
  const at = await start(midTrials.slice(0, 3));
  expect(at.drawn()[1]).toBe('no trial has failed');
  at.stop();
});

test('below the failures, the errors view lists the four newest warnings of the sweep, newest first', async () => {
  const at = await start(trials, ['1st', '2nd', '3rd', '4th', '5th']);
  expect(at.drawn().slice(-5)).toEqual(['warnings of the sweep, newest first', '5th', '4th', '3rd', '2nd']);
  expect(at.drawn()[4]).toBe('oom: torch.OutOfMemoryError: CUDA out of memory');
  at.stop();
});

test('a long warning is wrapped in the errors view', async () => {
  const long = `all 3 replicates ${'have identical results '.repeat(8)}`.trim();
  const at = await start(trials, [long]);
  const lines = at.drawn();
  const from = lines.indexOf('warnings of the sweep, newest first') + 1;
  expect(lines.slice(from).filter(Boolean).join(' ')).toBe(long);
  at.stop();
});

test('in the errors view, Enter opens the first trial of the group, and → opens the next trial', async () => {
  const at = await start();
  await at.press('enter');
  expect(at.view()).toEqual({ kind: 'trial', trialId: trials[3]?.id });
  await at.press('right');
  expect(at.view()).toEqual({ kind: 'trial', trialId: trials[5]?.id });
  await at.press('right');
  expect(at.frame().at(-2)?.trimEnd()).toBe('no next trial');
  await at.press('left', 'q');
  expect(at.view()).toEqual({ kind: 'errors' });
  at.stop();
});

test('R retries the trials of the group after a confirmation', async () => {
  const at = await start();
  await at.press('R');
  expect(at.frame().at(-2)?.trimEnd()).toBe('retry 2 trials with a fresh retry budget? [y/N]');
  await at.press('y');
  expect(at.source.retries).toEqual([['7', { trials: [trials[3]?.id, trials[5]?.id] }]]);
  at.stop();
});

test('the list of panes shows the errors view with the number of failed trials', async () => {
  const at = await start();
  expect(at.frame()[5]).toContain(' 6 [errors] (3)');
  await at.press('1');
  expect(at.frame().join('\n')).toContain('failed (oom)');
  at.stop();
});
