import { expect, test } from 'vitest';
import { AmbiguousError, NotFoundError, RefusedError } from '../../proto/errors.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { addSweep, agentHello, emptyCore, keyOf, trialOf } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { endAttempt, onOpen } from './attempts.ts';
import type { Core, Ending, Sweep } from './model.ts';
import { onRetry } from './retry-trials.ts';
import { schedule } from './scheduler.ts';
import { Step } from './step.ts';
import { onKill, onPause, onStop } from './sweeps.ts';

const ALL = { failures: 'all', cancelled: false } as const;

function coreWith(trials: number, concurrency?: number): { core: Core; sweep: Sweep } {
  const core = emptyCore();
  onHello(core, agentHello('a', 'a1', 100), 0);
  const retry = { oom: 0, crash: 1, timeout: 0, backoffMs: 0 };
  return { core, sweep: addSweep(core, '1', trials, { retry, concurrency }) };
}

/** Runs one attempt of each trial that waits, in the sweep's order, to these ends; the rest go on running. */
function run(core: Core, sweep: Sweep, ...endings: readonly (Ending | undefined)[]): void {
  schedule(core, 1);
  for (const trial of sweep.trials.values()) {
    if (trial.state !== 'offered') continue;
    const key = keyOf(sweep, trial);
    onOpen(core, { key, agentId: 'a', incarnation: 'a1', slot: trial.index }, 1, new Step());
    const ending = endings[trial.index];
    if (ending !== undefined) endAttempt(core, key, ending, 2, new Step());
  }
}

const failed = (failure: FailureClassName): Ending => ({ outcome: 'failed', failure: { class: failure, message: '' } });
const statesOf = (sweep: Sweep) => [...sweep.trials.values()].map(({ state }) => state).join(' ');
const retriedBy = ({ changes }: Step) => changes.flatMap((one) => (one.kind === 'retried' ? one.trialId : []));

test('a trial that had used up its budget has the whole of it again, and its attempts are numbered on', () => {
  const { core, sweep } = coreWith(1);
  run(core, sweep, failed('crash'));
  run(core, sweep, failed('crash'));
  expect(statesOf(sweep)).toBe('failed');
  onRetry(core, sweep, { trials: ['t0'] }, 'r');
  run(core, sweep, failed('crash'));
  expect(statesOf(sweep)).toBe('pending');
  run(core, sweep, failed('crash'));
  expect(statesOf(sweep)).toBe('failed');
  expect(trialOf(sweep, 't0').attempts).toBe(4);
});

test('a sweep that has ended runs again, and ends again', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, { outcome: 'succeeded' }, failed('oom'));
  expect(sweep.state).toBe('finished');
  const { changes } = onRetry(core, sweep, ALL, 'r');
  expect(changes).toMatchObject([
    { kind: 'sweep', state: 'running', reason: '' },
    { kind: 'retried', trialId: 't1', attempts: 1, failure: 'oom', resumesFrom: 0 },
  ]);
  run(core, sweep, undefined, { outcome: 'succeeded' });
  expect([sweep.state, statesOf(sweep)]).toEqual(['finished', 'succeeded succeeded']);
});

test('of a killed sweep what failed is retried; what was cancelled only when that is asked for, or by name', () => {
  const { core, sweep } = coreWith(4);
  run(core, sweep, failed('oom'), failed('nan'));
  onKill(core, '1', '');
  expect(statesOf(sweep)).toBe('failed failed cancelled cancelled');
  expect(retriedBy(onRetry(core, sweep, { failures: ['oom'], cancelled: false }, 'r1'))).toEqual(['t0']);
  expect(sweep.state).toBe('running');
  expect(retriedBy(onRetry(core, sweep, { trials: ['t3'] }, 'r2'))).toEqual(['t3']);
  expect(retriedBy(onRetry(core, sweep, { failures: [], cancelled: true }, 'r3'))).toEqual(['t2']);
  expect(statesOf(sweep)).toBe('pending failed pending pending');
});

test('a paused sweep stays paused', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, failed('oom'));
  onPause(core, '1', '');
  onRetry(core, sweep, ALL, 'r');
  expect([sweep.state, statesOf(sweep)]).toEqual(['paused', 'pending running']);
});

test('nothing is retried where nothing failed so: a sweep that has ended stays so', () => {
  const { core, sweep } = coreWith(1);
  run(core, sweep, failed('oom'));
  expect(onRetry(core, sweep, { failures: ['nan'], cancelled: true }, 'r').changes).toEqual([]);
  expect(sweep.state).toBe('finished');
});

test('a trial goes on from its checkpoint, unless it diverged after that', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, failed('oom'), failed('nan'));
  for (const trial of sweep.trials.values()) {
    trial.checkpoint = { attempt: 1, name: 'c', kind: 'checkpoint', epoch: 3, size: 1, sha256: '' };
  }
  const { changes } = onRetry(core, sweep, ALL, 'r');
  expect(changes).toMatchObject([{ kind: 'sweep' }, { resumesFrom: 3 }, { resumesFrom: 0 }]);
  expect(trialOf(sweep, 't1').checkpoint).toBeUndefined();
});

test.each([
  ['a running one', ['t0', 't3'], RefusedError, 'trial t3 runs at present (attempt 1): nothing was retried'],
  ['a waiting one', ['t0', 't4'], RefusedError, 'trial t4 waits to be run as it is'],
  ['one that succeeded', ['t0', 't1'], RefusedError, 'trial t1 has succeeded'],
  ['one that was stopped early', ['t0', 't2'], RefusedError, 'trial t2 was stopped early'],
  ['one that there is not', ['t0', 't9'], NotFoundError, 'sweep 1 has no trial "t9"; did you mean "t0"?'],
  ['a prefix of several', ['t0', 't'], AmbiguousError, 'trial t is ambiguous in sweep 1: t0, t1, t2, t3, t4'],
  ['no name at all', [''], NotFoundError, 'sweep 1 has no trial ""'],
] as const)('with %s among those named, none is retried', (_, trials, kind, message) => {
  const { core, sweep } = coreWith(5, 4);
  run(core, sweep, failed('oom'), { outcome: 'succeeded' }, { outcome: 'stopped' });
  const before = structuredClone([...sweep.trials.values()]);
  const retry = () => onRetry(core, sweep, { trials }, 'r');
  expect(retry).toThrow(kind);
  expect(retry).toThrow(message);
  expect([...sweep.trials.values()]).toEqual(before);
});

test('while a sweep is stopping none of its trials is retried', () => {
  const { core, sweep } = coreWith(2);
  run(core, sweep, failed('oom'));
  onStop(core, '1', '');
  expect(() => onRetry(core, sweep, ALL, 'r')).toThrow(
    'sweep 1 is stopping: its trials can be tried again once it has stopped',
  );
});
