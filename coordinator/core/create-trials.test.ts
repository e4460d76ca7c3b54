import { describe, expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore } from '../../test/support/coordinator/sample-core.ts';
import type { SourceState, SourceStep, TrialSource } from '../search/trial-source.ts';
import { onHello } from './agents.ts';
import { onRecord } from './attempt-records.ts';
import { onOpen } from './attempts.ts';
import { MAX_POINTS_PER_PASS } from './create-trials.ts';
import { type Core, CREATION_WINDOW, type Sweep } from './model.ts';
import { schedule } from './scheduler.ts';
import type { Change } from './step.ts';
import { onKill, onPause, onResume, onStop } from './sweeps.ts';

const CREATED_AHEAD = CREATION_WINDOW.trials;
const START: SourceState = { search: 0, created: 0, points: 0, excluded: [], duplicates: 0, repeated: 0 };

/**
 * Returns a source that creates numbered trials. For each point, `stepAt` can replace the step that the source returns.
 */
function numbered(
  total: number,
  usesResults = false,
  stepAt: (point: number, trial: SourceStep) => SourceStep = (_, trial) => trial,
): TrialSource {
  return {
    usesResults,
    prepare: async () => {},
    next(state) {
      const point = Number(state.search);
      if (point >= total) return { kind: 'done' };
      const trial = { index: state.created, parameters: {}, seed: 0, trialId: `t${point}`, configId: `c${point}` };
      const after = { ...state, search: point + 1, points: point + 1, created: state.created + 1 };
      return stepAt(point, { kind: 'trial', trial, state: after });
    },
  };
}

function searchingSweep(core: Core, source: TrialSource, planned: number): Sweep {
  const sweep = addSweep(core, '1', 0);
  sweep.search = { source, state: START };
  sweep.planned = planned;
  return sweep;
}

const created = (changes: readonly Change[]) => changes.flatMap((one) => (one.kind === 'created' ? one : []));

/** Runs offered trials to their ends until no trial is offered. */
function runAll(core: Core, seen: Change[], maxWaiting: (waiting: number) => void): void {
  const sweep = [...core.sweeps.values()][0];
  for (let now = 1; sweep !== undefined && sweep.state === 'running'; now++) {
    const { changes, outputs } = schedule(core, now);
    seen.push(...changes);
    maxWaiting(sweep.counts.pending + sweep.counts.offered);
    const offer = outputs.find(({ kind }) => kind === 'offer');
    if (offer?.kind !== 'offer') {
      if (changes.length === 0) return;
      continue;
    }
    for (const trial of [...sweep.offers]) {
      const key = { sweepId: sweep.id, trialId: trial.id, attempt: 1 };
      if (!onOpen(core, { key, agentId: 'a', incarnation: 'i', slot: 0 }, now).answer.granted) continue;
      const record = { kind: 'ended', key, seq: 1, at: now, end: { outcome: 'succeeded' } } as const;
      seen.push(...onRecord(core, { agentId: 'a', record }, now).step.changes);
    }
  }
}

describe('sweeps of a billion points', () => {
  test('a sweep of a billion points has a bounded number of created trials, and each trial is stored with the state of its source', () => {
    const core = emptyCore();
    const sweep = searchingSweep(core, numbered(1e9), 1e9);
    const { changes } = schedule(core, 1);
    expect(created(changes).map(({ state, trial }) => [trial.index, state.created])).toEqual(
      Array.from({ length: CREATED_AHEAD }, (_, index) => [index, index + 1]),
    );
    expect(sweep.trials.size).toBe(CREATED_AHEAD);
    expect(schedule(core, 2).changes).toEqual([]);
  });

  test('a sweep of a billion points does not end when all trials that exist have ended', () => {
    const core = emptyCore();
    const sweep = searchingSweep(core, numbered(1e9), 1e9);
    schedule(core, 1);
    for (const trial of sweep.trials.values()) trial.state = 'succeeded';
    Object.assign(sweep.counts, { pending: 0, succeeded: CREATED_AHEAD });
    expect(schedule(core, 2).changes.some(({ kind }) => kind === 'sweep')).toBe(false);
    expect(sweep.state).toBe('running');
  });

  test('a sweep of a billion points creates no trial while it is paused, and continues after a resume', () => {
    const core = emptyCore();
    const sweep = searchingSweep(core, numbered(1e9), 1e9);
    onPause(core, { sweepId: '1', reason: '' });
    expect(schedule(core, 1).changes).toEqual([]);
    onResume(core, { sweepId: '1' });
    expect(created(schedule(core, 2).changes)).toHaveLength(CREATED_AHEAD);
    expect(sweep.search?.state.created).toBe(CREATED_AHEAD);
  });

  test.each([
    ['kill', onKill, 'killed'],
    ['stop', onStop, 'stopped'],
  ] as const)('a sweep of a billion points creates no trial after a %s', (_, end, state) => {
    const core = emptyCore();
    const sweep = searchingSweep(core, numbered(1e9), 1e9);
    schedule(core, 1);
    const { changes } = end(core, { sweepId: '1', reason: '' }, 2);
    expect(changes.filter(({ kind }) => kind === 'trial')).toHaveLength(CREATED_AHEAD);
    expect(sweep.state).toBe(state);
    expect(schedule(core, 3).changes).toEqual([]);
  });
});

test('every point becomes one trial, in order, and the sweep then finishes', () => {
  const core = emptyCore();
  const total = CREATED_AHEAD + 250;
  const sweep = searchingSweep(core, numbered(total), total);
  onHello(core, agentHello('a', 'i', 1), 0);
  const seen: Change[] = [];
  let most = 0;
  runAll(core, seen, (waiting) => {
    most = Math.max(most, waiting);
  });
  expect(created(seen).map(({ trial }) => trial.trialId)).toEqual(Array.from({ length: total }, (_, at) => `t${at}`));
  expect(most).toBe(CREATED_AHEAD);
  expect(sweep).toMatchObject({ state: 'finished', planned: total, counts: { succeeded: total } });
  expect(seen.at(-1)).toMatchObject({ kind: 'sweep', state: 'finished' });
});

test('a pass that drops many points stores its progress and ends, and the next pass continues', () => {
  const core = emptyCore();
  const dropAll = numbered(1e9, false, (point, step) => {
    if (!('state' in step)) return step;
    return point < MAX_POINTS_PER_PASS ? { kind: 'dropped', state: { ...step.state, created: 0 } } : step;
  });
  searchingSweep(core, dropAll, 1e9);
  expect(schedule(core, 1).changes).toMatchObject([
    { kind: 'searched', done: false, state: { points: MAX_POINTS_PER_PASS, created: 0 } },
  ]);
  expect(created(schedule(core, 2).changes)[0]?.trial).toMatchObject({ index: 0, trialId: `t${MAX_POINTS_PER_PASS}` });
});

test('a sweep finishes even if all of its last points are dropped', () => {
  const core = emptyCore();
  const source = numbered(3, false, (_, step) => ('state' in step ? { kind: 'dropped', state: step.state } : step));
  const sweep = searchingSweep(core, source, 3);
  expect(schedule(core, 1).changes.map(({ kind }) => kind)).toEqual(['searched', 'sweep']);
  expect(sweep.state).toBe('finished');
});

test('if trials depend on results, two trials are created per slot, and none if there are no slots', () => {
  const core = emptyCore();
  const sweep = searchingSweep(core, numbered(1e9, true), Number.POSITIVE_INFINITY);
  expect(schedule(core, 1).changes).toEqual([]);
  onHello(core, agentHello('a', 'i', 3), 1);
  expect(created(schedule(core, 2).changes)).toHaveLength(6);
  expect(sweep.counts.offered).toBe(6);
});

test('a sweep does not end while its source waits for results', () => {
  const core = emptyCore();
  let waits = true;
  const sweep = searchingSweep(
    core,
    numbered(5, true, (_, step) => (waits ? { kind: 'wait' } : step)),
    5,
  );
  onHello(core, agentHello('a', 'i', 1), 0);
  expect(schedule(core, 1).changes).toEqual([]);
  expect(sweep.state).toBe('running');
  waits = false;
  expect(created(schedule(core, 2).changes)).toHaveLength(2);
});

test('created trials are stored before they are offered, in the same step', () => {
  const core = emptyCore();
  searchingSweep(core, numbered(10), 10);
  onHello(core, agentHello('a', 'i', 1), 0);
  const { changes, outputs } = schedule(core, 1);
  const kinds = changes.map(({ kind }) => kind);
  expect(outputs.length).toBeGreaterThan(0);
  expect(kinds.lastIndexOf('created')).toBeLessThan(kinds.indexOf('trial'));
});
