import { expect, test } from 'vitest';
import type { CurveRow } from '../../bin/export/curve-rows.ts';
import type { TrialJson } from '../../bin/output/json.ts';
import { bestOf, recordedRun, runText } from './recorded-run.ts';

function trialOf(index: number, changes: Partial<TrialJson>): TrialJson {
  const trial = `t${index}`;
  return {
    ...{ trial, config: trial, sweep: '1', index, state: 'succeeded', rank: null, seed: 0, epoch: 2, attempts: 1 },
    parameters: { dataset: 'mnist', learning_rate: 0.001 * (index + 1) },
    ...{ metrics: {}, metric_steps: {}, agent: null, backend: null, failure: null, stop_reason: null },
    ...{ dropped_in: null, started_at: null, ended_at: null, seconds: null },
    ...changes,
  };
}

const rowOf = (trial: string, epoch: number, attempt: number, loss: number | null): CurveRow => ({
  ...{ trial, config: trial, seed: 0, parameters: {}, at: null },
  ...{ epoch, attempt, metrics: { test_loss: loss, psnr: 20 } },
});

const run = recordedRun(
  'asha',
  { fingerprint: 'f', seconds: 12.4 },
  [trialOf(1, { state: 'stopped', parent: 't0', parent_epoch: 4 }), trialOf(0, {})],
  [rowOf('t0', 1, 1, 0.5), rowOf('t0', 2, 2, 0.123456789), rowOf('t1', 1, 1, null)],
);

test('a recorded run has the losses of each trial, in the order of the sweep, and only the parameters that vary', () => {
  expect(run).toEqual({
    name: 'asha',
    fingerprint: 'f',
    seconds: 12,
    trials: [
      { state: 'succeeded', parameters: { learning_rate: 0.001 }, losses: [0.5, 0.12346], start: 0, waited: [1] },
      {
        ...{ state: 'stopped', parameters: { learning_rate: 0.002 }, losses: [Number.NaN], start: 4, waited: [] },
        parent: 0,
      },
    ],
  });
});

test('a trial without a finite loss is never the best', () => {
  expect(bestOf(run)).toBe(0);
  expect(bestOf({ ...run, trials: run.trials.toReversed() })).toBe(1);
});

test('the text of a run is JSON with one trial per line', () => {
  const text = runText({ ...run, trials: run.trials.slice(0, 1) });
  expect(JSON.parse(text)).toEqual({ ...run, trials: [{ ...run.trials[0], parent: undefined }] });
  expect(text.split('\n')).toHaveLength(4);
});
