import { expect, test } from 'vitest';
import type { Distribution } from '../distribution.ts';
import type { SearchHistory, SearchResult, SearchState } from '../searcher.ts';
import { INITIAL_TPE_STATE, nextTpePoint } from './searcher.ts';

const space = new Map<string, Distribution>([
  ['x', { kind: 'uniform', min: 0, max: 10, q: undefined }],
  ['y', { kind: 'uniform', min: 0, max: 10, q: undefined }],
]);
const search = { seed: 4, space, isActive: () => true };

/** The Pareto front consists of the points with x from 2 to 4 and y = 0. */
const valuesAt = ({ x, y }: Readonly<Record<string, unknown>>) => [
  (Number(x) - 2) ** 2 + Number(y),
  -((Number(x) - 4) ** 2) - Number(y),
];

function run(trials: number, goals: SearchHistory['goals'], replicates: number): SearchResult[] {
  const results: SearchResult[] = [];
  let state: SearchState = INITIAL_TPE_STATE;
  for (let trial = 0; trial < trials; trial++) {
    const step = nextTpePoint(search, replicates, state, { goal: 'minimize', goals, results, live: [] });
    if (step.kind !== 'point') break;
    state = step.state;
    const values = valuesAt(step.point);
    for (let seed = 0; seed < replicates; seed++) {
      const noisy = replicates === 1 ? values : values.map((value) => value + (seed - (replicates - 1) / 2));
      results.push({ parameters: step.point, value: noisy[0], values: noisy });
    }
  }
  return results;
}

const isOnFront = ({ parameters: { x, y } }: SearchResult) => Number(x) > 1.5 && Number(x) < 4.5 && Number(y) < 1;

test.each([1, 2])('TPE with several objectives finds the Pareto front (replicates: %i)', (replicates) => {
  const results = run(100, ['minimize', 'maximize'], replicates);
  const share = (part: readonly SearchResult[]) => part.filter(isOnFront).length / part.length;
  expect(share(results.slice(-30))).toBeGreaterThan(0.5);
  expect(share(results.slice(0, 10))).toBeLessThan(0.3);
  const front = results
    .slice(-40 * replicates)
    .filter(isOnFront)
    .map(({ parameters }) => Number(parameters.x));
  expect(Math.min(...front)).toBeLessThan(2.7);
  expect(Math.max(...front)).toBeGreaterThan(3.3);
});

test('TPE with several objectives suggests the same points for the same history', () => {
  expect(run(30, ['minimize', 'maximize'], 1)).toEqual(run(30, ['minimize', 'maximize'], 1));
});

test('a trial without a value for one objective counts as worse than all other trials', () => {
  const ended = Array.from({ length: 20 }, (_, at): SearchResult => {
    const isComplete = at % 2 === 0;
    const parameters = { x: isComplete ? 3 + at / 100 : 9, y: isComplete ? 0.1 : 9 };
    return { parameters, value: -100, values: isComplete ? [1 + at, 1] : [-100, undefined] };
  });
  const step = nextTpePoint(
    search,
    1,
    { points: 20, trials: 20, repeated: 0 },
    {
      goal: 'minimize',
      goals: ['minimize', 'minimize'],
      results: ended,
      live: [],
    },
  );
  expect(step.kind === 'point' && Number(step.point.x)).toBeLessThan(6);
});
