import { expect, test } from 'vitest';
import { AmbiguousError, NotFoundError, RejectedError } from '../../proto/errors.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { addSweep, agentHello, emptyCore, sampleKey, sampleTrial } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { endAttempt } from './attempt-ends.ts';
import type { FinalEnd } from './attempt-model.ts';
import { onOpen } from './attempts.ts';
import type { Core, Sweep } from './model.ts';
import { onRetry } from './retry-trials.ts';
import { schedule } from './scheduler.ts';
import type { Step } from './step.ts';
import { onKill, onPause, onStop } from './sweeps.ts';

const ALL = { failures: 'all', cancelled: false } as const;

function coreWith(trials: number, concurrency?: number): { core: Core; sweep: Sweep } {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', 100), 0);
  const retry = { oom: 0, crash: 1, timeout: 0, backoffMs: 0 };
  return { core, sweep: addSweep(core, '1', trials, { retry, concurrency }) };
}

function run(core: Core, sweep: Sweep, ...ends: readonly (FinalEnd | undefined)[]): void {
  schedule(core, 1);
  for (const trial of sweep.trials.values()) {
    if (trial.state !== 'offered') continue;
    const key = sampleKey(sweep, trial);
    onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: trial.index }, 1);
    const end = ends[trial.index];
    if (end !== undefined) endAttempt(core, { key, end }, 2);
  }
}

const failed = (failure: FailureClassName): FinalEnd => ({
  outcome: 'failed',
  failure: { class: failure, message: '' },
});
const statesOf = (sweep: Sweep) => [...sweep.trials.values()].map(({ state }) => state).join(' ');
const retriedBy = ({ changes }: Step) => changes.flatMap((one) => (one.kind === 'retried' ? one.trialId : []));

test('a trial that is retried manually gets its full retry budget again, and its next attempt has the next attempt number', () => {
  const { core, sweep } = coreWith(1);
  run(core, sweep, failed('crash'));
  run(core, sweep, failed('crash'));
  expect(statesOf(sweep)).toBe('failed');
  onRetry(core, { sweep, choice: { trials: ['t0'] }, requestId: 'r' });
  run(core, sweep, failed('crash'));
  expect(statesOf(sweep)).toBe('pending');
  run(core, sweep, failed('crash'));
  expect(statesOf(sweep)).toBe('failed');
  expect(sampleTrial(sweep, 't0').attempts).toBe(4);
});

test('a retry makes an ended sweep run again until its retried trials have ended', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, { outcome: 'succeeded' }, failed('oom'));
  expect(sweep.state).toBe('finished');
  const { changes } = onRetry(core, { sweep, choice: ALL, requestId: 'r' });
  expect(changes).toMatchObject([
    { kind: 'sweep', state: 'running', reason: '' },
    { kind: 'retried', trialId: 't1', attempts: 1, failure: 'oom', resumesFrom: 0 },
  ]);
  run(core, sweep, undefined, { outcome: 'succeeded' });
  expect([sweep.state, statesOf(sweep)]).toEqual(['finished', 'succeeded succeeded']);
});

test('cancelled trials of a killed sweep are retried only if a request names them or includes all cancelled trials', () => {
  const { core, sweep } = coreWith(4);
  run(core, sweep, failed('oom'), failed('nan'));
  onKill(core, { sweepId: '1', reason: '' }, 0);
  expect(statesOf(sweep)).toBe('failed failed cancelled cancelled');
  expect(retriedBy(onRetry(core, { sweep, choice: { failures: ['oom'], cancelled: false }, requestId: 'r1' }))).toEqual(
    ['t0'],
  );
  expect(sweep.state).toBe('running');
  expect(retriedBy(onRetry(core, { sweep, choice: { trials: ['t3'] }, requestId: 'r2' }))).toEqual(['t3']);
  expect(retriedBy(onRetry(core, { sweep, choice: { failures: [], cancelled: true }, requestId: 'r3' }))).toEqual([
    't2',
  ]);
  expect(statesOf(sweep)).toBe('pending failed pending pending');
});

test('a paused sweep stays paused when its trials are retried', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, failed('oom'));
  onPause(core, { sweepId: '1', reason: '' });
  onRetry(core, { sweep, choice: ALL, requestId: 'r' });
  expect([sweep.state, statesOf(sweep)]).toEqual(['paused', 'pending running']);
});

test('an ended sweep stays ended if a retry request matches no trial', () => {
  const { core, sweep } = coreWith(1);
  run(core, sweep, failed('oom'));
  expect(onRetry(core, { sweep, choice: { failures: ['nan'], cancelled: true }, requestId: 'r' }).changes).toEqual([]);
  expect(sweep.state).toBe('finished');
});

test('a retried trial resumes from its checkpoint, unless the trial diverged', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, failed('oom'), failed('nan'));
  for (const trial of sweep.trials.values()) {
    trial.checkpoint = { attempt: 1, name: 'c', kind: 'checkpoint', epoch: 3, size: 1, sha256: '' };
  }
  const { changes } = onRetry(core, { sweep, choice: ALL, requestId: 'r' });
  expect(changes).toMatchObject([{ kind: 'sweep' }, { resumesFrom: 3 }, { resumesFrom: 0 }]);
  expect(sampleTrial(sweep, 't1').checkpoint).toBeUndefined();
});

test.each([
  ['a running trial', ['t0', 't3'], RejectedError, 'trial t3 is running (attempt 1): no trial was retried'],
  ['a pending trial', ['t0', 't4'], RejectedError, 'trial t4 is already pending: no trial was retried'],
  ['a succeeded trial', ['t0', 't1'], RejectedError, 'trial t1 has succeeded'],
  ['a trial that was stopped early', ['t0', 't2'], RejectedError, 'trial t2 was stopped early'],
  ['an unknown trial', ['t0', 't9'], NotFoundError, 'sweep 1 has no trial "t9"; did you mean "t0"?'],
  ['an ambiguous prefix', ['t0', 't'], AmbiguousError, 'trial t is ambiguous in sweep 1: t0, t1, t2, t3, t4'],
  ['an empty id', [''], NotFoundError, 'sweep 1 has no trial ""'],
] as const)('no trial is retried if the request names %s', (_, trials, kind, message) => {
  const { core, sweep } = coreWith(5, 4);
  run(
    core,
    sweep,
    failed('oom'),
    { outcome: 'succeeded' },
    { outcome: 'stopped', rule: 'median', reason: 'worse than the median' },
  );
  const before = structuredClone([...sweep.trials.values()]);
  const retry = () => onRetry(core, { sweep, choice: { trials }, requestId: 'r' });
  expect(retry).toThrow(kind);
  expect(retry).toThrow(message);
  expect([...sweep.trials.values()]).toEqual(before);
});

test('trials of a stopping sweep cannot be retried', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, failed('oom'));
  onStop(core, { sweepId: '1', reason: '' });
  expect(() => onRetry(core, { sweep, choice: ALL, requestId: 'r' })).toThrow(
    'sweep 1 is stopping: its trials can be retried once it has stopped',
  );
});
