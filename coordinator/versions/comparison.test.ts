import fc from 'fast-check';
import { expect, test } from 'vitest';
import { enumerateTrials } from '../grid/enumerate.ts';
import type { SweepSpec } from '../grid/spec.ts';
import { parseSweep } from '../sweepfile/parse.ts';
import { compareSpaces, countChanges, type TrialChanges } from './comparison.ts';
import { gridContains } from './grid-points.ts';

const parse = (text: string) => parseSweep(text, 'sweep.yaml');

function changesOf(before: string, after: string): TrialChanges {
  const [old, edited] = [parse(before), parse(after)];
  return countChanges(old, edited, compareSpaces(old, edited));
}

const values = (max: number) => fc.uniqueArray(fc.integer({ min: 1, max }), { minLength: 1, maxLength: 4 });

const gridText = fc
  .record({
    a: values(5),
    b: values(4),
    pair: fc.array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })), {
      minLength: 2,
      maxLength: 4,
    }),
    seeds: values(4),
    zips: fc.boolean(),
    excludes: fc.boolean(),
    sets: fc.boolean(),
    cap: fc.option(fc.integer({ min: 1, max: 60 })),
    order: fc.constantFrom('grid', 'shuffled'),
  })
  .map(({ a, b, pair, seeds, zips, excludes, sets, cap, order }) =>
    [
      'trainer: command\ncommand: [program]\nmetric: {name: loss, goal: minimize}\nparameters:',
      `  a: {values: ${JSON.stringify(a)}}\n  b: {values: ${JSON.stringify(b)}}`,
      zips ? `  c: {values: ${JSON.stringify(pair.map(([c]) => c))}}` : `  c: {value: 1}`,
      zips ? `  d: {values: ${JSON.stringify(pair.map(([, d]) => d))}}\nzip: [[c, d]]` : `  d: {value: 2}`,
      `seeds: ${JSON.stringify(seeds)}`,
      excludes ? `exclude: [{a: ${a[0]}, b: ${b[0]}}]` : '',
      sets ? `when: [{if: {a: ${a.at(-1)}}, set: {b: 9, d: 1}}]` : '',
      cap === null ? '' : `run_cap: ${cap}`,
      `order: ${order}`,
    ].join('\n'),
  );

function trialIds(spec: SweepSpec): Set<string> {
  try {
    return new Set([...enumerateTrials(spec)].map(({ trialId }) => trialId));
  } catch {
    return new Set();
  }
}

function parsed(text: string): SweepSpec | undefined {
  try {
    return parse(text);
  } catch {
    return undefined;
  }
}

test('for two grids, the computed numbers of kept, added and dropped trials equal the numbers from an enumeration of both grids', () => {
  fc.assert(
    fc.property(gridText, gridText, (first, second) => {
      const [before, after] = [parsed(first), parsed(second)];
      fc.pre(before !== undefined && after !== undefined);
      const [old, edited] = [trialIds(before), trialIds(after)];
      fc.pre(old.size > 0 && edited.size > 0);
      const kept = [...old].filter((id) => edited.has(id)).length;
      const change = compareSpaces(before, after);
      expect(countChanges(before, after, change)).toEqual({
        kept,
        added: edited.size - kept,
        dropped: old.size - kept,
      });
      if (change.kind !== 'grid') return;
      for (const trial of enumerateTrials(before)) expect(change.contains(trial)).toBe(edited.has(trial.trialId));
    }),
    { numRuns: 30 },
  );
});

test('gridContains accepts exactly the trials of the grid', () => {
  fc.assert(
    fc.property(gridText, gridText, (first, second) => {
      const [one, other] = [parsed(first.replace(/run_cap.*/, '')), parsed(second.replace(/run_cap.*/, ''))];
      fc.pre(one !== undefined && other !== undefined);
      const own = trialIds(one);
      fc.pre(own.size > 0 && trialIds(other).size > 0);
      const contains = gridContains(one);
      for (const trial of enumerateTrials(one)) expect(contains(trial)).toBe(true);
      for (const trial of enumerateTrials(other)) expect(contains(trial)).toBe(own.has(trial.trialId));
    }),
    { numRuns: 30 },
  );
});

const BILLION = `trainer: noop
parameters:
  p: {min: 1, max: 1000, step: 1}
  q: {min: 1, max: 1000, step: 1}
  r: {min: 1, max: 1000, step: 1}
`;

test('two grids of 10^9 points are compared without enumerating their points', () => {
  const larger = BILLION.replace('max: 1000', 'max: 1001');
  expect(changesOf(BILLION, larger)).toEqual({ kept: 1e9, added: 1e6, dropped: 0 });
  expect(changesOf(larger, `${BILLION}exclude: [{p: 5}]\n`)).toEqual({ kept: 1e9 - 1e6, added: 0, dropped: 2e6 });
});

test('a trial that sets a parameter to its default value equals a trial of a file that omits the parameter', () => {
  const plain = 'trainer: noop\nparameters: {x: {values: [1, 2]}}\n';
  expect(changesOf(plain, 'trainer: noop\nparameters: {x: {values: [1, 2]}, epochs: {values: [1, 2]}}\n').kept).toBe(2);
});

test('the comparison of two grids of 10^9 points is rejected if their `when` rules differ', () => {
  const rule = 'when: [{if: {p: 1}, set: {q: 7}}]\n';
  expect(() => changesOf(BILLION, BILLION + rule)).toThrow(
    /too large to compare: with "when", "zip" or "run_cap", the trials of the smaller version must be enumerated.*max 100,000/,
  );
});

const RANDOM = `trainer: noop
method: random
run_cap: 20
parameters: {x: {min: 0.0, max: 1.0}}
`;

test('the run_cap of a random search can change', () => {
  expect(changesOf(RANDOM, RANDOM.replace('20', '25'))).toEqual({ kept: 20, added: 5, dropped: 0 });
  expect(changesOf(RANDOM, RANDOM.replace('20', '5'))).toEqual({ kept: 5, added: 0, dropped: 15 });
});

test.each([
  ['the space of a random search', RANDOM.replace('max: 1.0', 'max: 2.0')],
  ['the seeds of a random search', `${RANDOM}seeds: [1, 2]\n`],
])('a change of %s is rejected', (_what, after) => {
  expect(() => changesOf(RANDOM, after)).toThrow(/of a random search cannot change.*submit the file as a new sweep/);
});
