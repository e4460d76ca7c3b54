import { expect, test } from 'vitest';
import type { Distribution } from '../distribution.ts';
import type { PastSuggestion, SearchHistory, SearchState } from '../searcher.ts';
import { OptunaDimensions } from './dimensions.ts';
import { INITIAL_OPTUNA_STATE, nextOptunaPoint } from './searcher.ts';

const space = new Map<string, Distribution>([['x', { kind: 'uniform', min: 0, max: 10, q: undefined }]]);
const search = { seed: 1, space, dimensions: new OptunaDimensions(space, []) };
const next = (state: SearchState, history: SearchHistory) => nextOptunaPoint(search, state, history);
const EMPTY: SearchHistory = { goal: 'minimize', results: [], live: [] };
const past = (x: number): PastSuggestion => ({
  record: { values: { x }, attributes: 'a' },
  outcome: { kind: 'ended', values: [x] },
});

test('a searcher requests a suggestion, and yields the suggested point once the history contains the answer', () => {
  const suggestions = [past(3)];
  expect(next(INITIAL_OPTUNA_STATE, { ...EMPTY, sampler: { suggestions, answer: undefined } })).toEqual({
    kind: 'wait',
    request: { number: 0, trials: suggestions },
  });
  const record = { values: { x: 4 }, attributes: 'b' };
  const step = next(INITIAL_OPTUNA_STATE, { ...EMPTY, sampler: { suggestions, answer: { number: 0, record } } });
  expect(step).toMatchObject({ kind: 'point', record, state: { points: 1 } });
  expect(step.kind === 'point' && { ...step.point }).toEqual({ x: 4 });
});

test('an answer to an earlier request is ignored, and the search waits for the current one', () => {
  const answer = { number: 0, record: { values: { x: 4 }, attributes: '' } };
  const state = { points: 1, trials: 0, repeated: 0 };
  expect(next(state, { ...EMPTY, sampler: { suggestions: [past(4)], answer } })).toMatchObject({
    kind: 'wait',
    request: { number: 1 },
  });
});

test('the study begins with the results of earlier sweeps, and all requests contain the same objects for these results', () => {
  const history = { ...EMPTY, warm: [{ parameters: { x: 2 }, value: 5 }] };
  const [first, second] = [next(INITIAL_OPTUNA_STATE, history), next(INITIAL_OPTUNA_STATE, history)];
  expect(first).toMatchObject({ request: { trials: [{ record: { values: { x: 2 } }, outcome: { values: [5] } }] } });
  // If these objects changed, the Python process would have to build its study again.
  const recordOf = (step: typeof first) => step.kind === 'wait' && step.request?.trials[0]?.record;
  expect(recordOf(first)).toBe(recordOf(second));
});

test('after more than ten points without a new trial, points are drawn at random without the sampler', () => {
  const step = next({ points: 20, trials: 0, repeated: 10 }, EMPTY);
  expect(step).toMatchObject({ kind: 'point', record: { attributes: '' }, state: { points: 21, repeated: 11 } });
});
