import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SourceState, SourceStep } from '../search/trial-source.ts';
import { StepsAhead } from './steps-ahead.ts';

const start: SourceState = { search: null, created: 0, points: 0, excluded: [], duplicates: 0, repeated: 0 };

/** Returns a search over a list of points. The id of each trial is its point. `calls` counts the calls of `next`. */
function searchOver(points: readonly string[]) {
  const search = {
    calls: 0,
    next(state: SourceState, isKnown: (trialId: string) => boolean): SourceStep {
      search.calls += 1;
      const trialId = points[state.points];
      if (trialId === undefined) return { kind: 'done' };
      const after = { ...state, points: state.points + 1 };
      if (isKnown(trialId)) return { kind: 'dropped', state: { ...after, duplicates: state.duplicates + 1 } };
      const trial = { index: state.created, parameters: {}, seed: 0, trialId, configId: trialId };
      return { kind: 'trial', trial, state: { ...after, created: state.created + 1 } };
    },
  };
  return search;
}

/**
 * Takes all steps, at most `batch` between two calls of `prepare`, and returns the ids of the new trials.
 * @param inMemory how many of the newest trials the sweep still has in memory. The store has all trials.
 */
async function createdBy(search: ReturnType<typeof searchOver>, stored: Set<string>, batch: number, inMemory: number) {
  const ahead = new StepsAhead(search.next, async (ids) => new Set(ids.filter((id) => stored.has(id))));
  const created: string[] = [];
  for (let state = start; ; ) {
    await ahead.prepare(state);
    for (let taken = 0; taken < batch; taken++) {
      const live = created.slice(Math.max(0, created.length - inMemory));
      const step = ahead.next(state, (id) => live.includes(id));
      if (step.kind === 'done') return created;
      if (step.kind === 'wait') break;
      if (step.kind === 'trial') {
        created.push(step.trial.trialId);
        stored.add(step.trial.trialId);
      }
      state = step.state;
    }
  }
}

test('every point without a stored trial gets exactly one trial, in order, however many steps are taken at a time', async () => {
  const names = fc.array(
    fc.nat(400).map((n) => `${n}`),
    { maxLength: 1_200 },
  );
  const stored = fc.array(fc.nat(400).map((n) => `${n}`));
  await fc.assert(
    fc.asyncProperty(names, stored, fc.integer({ min: 1, max: 300 }), fc.nat(50), async (points, old, batch, live) => {
      const expected = [...new Set(points)].filter((id) => !old.includes(id));
      expect(await createdBy(searchOver(points), new Set(old), batch, live)).toEqual(expected);
    }),
    { numRuns: 50 },
  );
});

test('if most points already have a trial, each point is computed fewer than ten times on average', async () => {
  const points = Array.from({ length: 5_000 }, (_, at) => `${at}`);
  const search = searchOver(points);
  const stored = new Set(points.filter((_, at) => at % 10 !== 0));
  expect(await createdBy(search, stored, 100, 50)).toHaveLength(500);
  expect(search.calls).toBeLessThan(10 * points.length);
});
