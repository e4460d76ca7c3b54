import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bracketsOf } from './hyperband.ts';
import { LOSS, Race } from './race.fixture.ts';
import type { HyperbandSettings } from './settings.ts';

const HYPERBAND: HyperbandSettings = { type: 'hyperband', steps: { maxIter: 5, brackets: 2 }, eta: 2, strict: false };

test('in the example of the sweeps package of Weights & Biases, hyperband stops run b and no other run', () => {
  const race = new Race(HYPERBAND);
  race.run('a', [10, 9]);
  race.run('c', [10, 8]);
  race.run('d', [10, 7]);
  race.run('e', [10, 6, 6]);
  expect(race.run('b', [10, 10])).toEqual({
    kind: 'stop',
    step: 2,
    reason: 'best value 10 is worse than 8, the limit among 5 trials at bracket 2',
  });
  expect(race.report('c', 3, 8).kind).toBe('continue');
  expect(race.report('d', 3, 7).kind).toBe('continue');
});

test('the brackets of hyperband count reported values, not steps', () => {
  const race = new Race(HYPERBAND);
  race.report('a', 100, 1);
  race.report('a', 250, 1);
  expect(race.rungs).toEqual([1, 2]);
});

test('between two brackets, hyperband compares a trial with all trials that have reached the lower bracket', () => {
  const race = new Race({ ...HYPERBAND, steps: { minIter: 2 } });
  expect(race.run('a', [9, 9]).kind).toBe('continue');
  race.run('b', [5, 5]);
  race.run('c', [4, 4]);
  expect(race.report('a', 3, 9)).toMatchObject({
    kind: 'stop',
    reason: 'best value 9 is worse than 5, the limit among 3 trials at bracket 2',
  });
  expect(race.report('d', 1, 100).kind).toBe('continue');
});

test('hyperband keeps a trial that improves after a bracket, unless the rule is strict', () => {
  const settings: HyperbandSettings = { ...HYPERBAND, steps: { minIter: 1 }, eta: 4 };
  const at = (strict: boolean) => {
    const race = new Race({ ...settings, strict });
    for (const [index, value] of [3, 2, 2, 2, 2].entries()) race.report(`t${index}`, 1, value);
    return race.report('t0', 2, 1);
  };
  expect(at(false)).toEqual({
    kind: 'continue',
    reason: 'best value 1 is not worse than 2, the limit among 5 trials at bracket 1',
  });
  expect(at(true)).toEqual({ kind: 'stop', reason: '3 is worse than 2, the limit among 5 trials at bracket 1' });
});

test('the brackets of hyperband end below max_iter', () => {
  expect(bracketsOf({ ...HYPERBAND, steps: { maxIter: 27, brackets: 2 }, eta: 3 })).toEqual([3, 9]);
});

/**
 * Returns whether the sweeps package of Weights & Biases would stop a trial with the history `own`, given the complete
 * histories of all trials.
 */
function stopsInReference(
  histories: readonly (readonly number[])[],
  own: readonly number[],
  { eta, strict }: HyperbandSettings,
  bands: readonly number[],
): boolean {
  const band = bands.findLast((one) => one <= own.length);
  if (band === undefined) return false;
  const values = histories.flatMap((history) => history[band - 1] ?? []).sort((a, b) => a - b);
  const bound = values[Math.trunc((1 / eta) * values.length)] ?? Number.POSITIVE_INFINITY;
  return (strict ? (own[band - 1] ?? 0) : Math.min(...own)) > bound;
}

test('for all histories, every decision of hyperband equals the decision of the algorithm of Weights & Biases', () => {
  const values = fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(
      fc.array(values, { minLength: 1, maxLength: 12 }),
      fc.boolean(),
      fc.boolean(),
      fc.constantFrom(1.5, 2, 3),
      (runs, strict, maximize, eta) => {
        const settings: HyperbandSettings = { ...HYPERBAND, steps: { minIter: 1 }, eta, strict };
        const race = new Race(settings, { ...LOSS, goal: maximize ? 'maximize' : 'minimize' });
        const histories = runs.map((): number[] => []);
        const bands = bracketsOf(settings);
        const stopped = new Set<number>();
        for (let step = 1; step <= 12; step++) {
          for (const [at, run] of runs.entries()) {
            const value = run[step - 1];
            const history = histories[at];
            if (value === undefined || history === undefined || stopped.has(at)) continue;
            history.push(maximize ? -value : value);
            const expected = stopsInReference(histories, history, settings, bands);
            expect(race.report(`t${at}`, step, value).kind).toBe(expected ? 'stop' : 'continue');
            if (expected) stopped.add(at);
          }
        }
      },
    ),
  );
});
