import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Distribution } from '../distribution.ts';
import { valueAt } from '../quantile.ts';
import type { Point } from './space.ts';
import { nextPoint, type Observation, type TpeSearch } from './tpe.ts';

const q = fc.constantFrom(undefined, 0.25);
const distributions: fc.Arbitrary<Distribution> = fc.oneof(
  fc.record({ kind: fc.constant('constant' as const), value: fc.constantFrom(1, 'a', true) }),
  fc.constantFrom<Distribution>(
    { kind: 'categorical', values: ['a', 'b', 'c'], probabilities: undefined },
    { kind: 'categorical', values: [1, 2, true], probabilities: [0.5, 0, 0.5] },
    { kind: 'categorical', values: ['only'], probabilities: undefined },
  ),
  fc.record({
    kind: fc.constant('int_uniform' as const),
    min: fc.integer({ min: -3, max: 3 }),
    max: fc.integer({ min: 3, max: 9 }),
  }),
  fc.record({ kind: fc.constant('uniform' as const), min: fc.constant(-1.1), max: fc.constantFrom(-1.1, 0, 5), q }),
  fc.record({
    kind: fc.constant('log_uniform' as const),
    min: fc.constant(1e-5),
    max: fc.constantFrom(1e-5, 1, 100),
    q,
  }),
  fc.record({
    kind: fc.constantFrom('normal' as const, 'log_normal' as const),
    mu: fc.constant(0.3),
    sigma: fc.constantFrom(0, 1.5),
    q,
  }),
  fc.record({ kind: fc.constant('beta' as const), a: fc.constantFrom(0.5, 2), b: fc.constant(3), q }),
);

const histories = fc.record({
  space: fc
    .array(distributions, { minLength: 1, maxLength: 5 })
    .map((list) => new Map(list.map((distribution, at) => [`p${at}`, distribution]))),
  seed: fc.nat(),
  trials: fc.array(
    fc.record({
      u: fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      value: fc.option(fc.double({ noNaN: true, noDefaultInfinity: true })),
    }),
    { maxLength: 40 },
  ),
  running: fc.nat({ max: 5 }),
});

interface Case {
  readonly search: TpeSearch;
  readonly ended: Observation[];
  readonly running: Point[];
}

function caseOf({ space, seed, trials, running }: typeof histories extends fc.Arbitrary<infer T> ? T : never): Case {
  const points = trials.map(({ u, value }, at): Observation => {
    const point = [...space].map(([name, distribution], p) => [
      name,
      valueAt(distribution, (u + 0.37 * p + 0.11 * at) % 1 || 0.5),
    ]);
    return { point: Object.fromEntries(point), value: value ?? undefined };
  });
  const split = Math.max(0, points.length - running);
  const search: TpeSearch = { space, seed, goal: 'minimize', isActive: () => true };
  return { search, ended: points.slice(0, split), running: points.slice(split).map(({ point }) => point) };
}

function isIn(distribution: Distribution, value: unknown): boolean {
  switch (distribution.kind) {
    case 'constant':
      return value === distribution.value;
    case 'categorical':
      return distribution.values.some((one, at) => one === value && distribution.probabilities?.[at] !== 0);
    case 'int_uniform':
      return Number.isInteger(value) && Number(value) >= distribution.min && Number(value) <= distribution.max;
    default: {
      if (typeof value !== 'number' || !Number.isFinite(value)) return false;
      if (distribution.q !== undefined) return Number.isInteger(Number((value / distribution.q).toPrecision(12)));
      if ('min' in distribution) return value >= distribution.min && value <= distribution.max;
      return distribution.kind === 'normal' || value >= 0;
    }
  }
}

const SQUARE: TpeSearch = {
  seed: 1,
  goal: 'minimize',
  isActive: () => true,
  space: new Map([
    ['x', { kind: 'uniform', min: -5, max: 5, q: undefined }],
    ['y', { kind: 'uniform', min: -5, max: 5, q: undefined }],
  ]),
};

function run(search: TpeSearch, trials: number, value: (point: Point) => number | undefined): Observation[] {
  const ended: Observation[] = [];
  for (let index = 0; index < trials; index++) {
    const point = nextPoint(search, index, { ended, running: [] });
    ended.push({ point, value: value(point) });
  }
  return ended;
}

describe('nextPoint', () => {
  it('the next point lies in the space, for every distribution and history', () => {
    fc.assert(
      fc.property(histories, (given) => {
        const { search, ended, running } = caseOf(given);
        const point = nextPoint(search, ended.length + running.length, { ended, running });
        expect(Object.keys(point)).toEqual([...search.space.keys()]);
        for (const [name, distribution] of search.space)
          expect([name, point[name], isIn(distribution, point[name])]).toEqual([name, point[name], true]);
      }),
    );
  });

  it('the next point is the same for the same seed and history', () => {
    fc.assert(
      fc.property(histories, (given) => {
        const [first, second] = [caseOf(given), caseOf(given)];
        expect(nextPoint(first.search, 7, first)).toEqual(nextPoint(second.search, 7, second));
      }),
    );
  });

  it('the next point depends on the order of the trials from best to worst, but not on their exact values', () => {
    fc.assert(
      fc.property(histories, (given) => {
        const { search, ended, running } = caseOf(given);
        // The values are distinct whole numbers, so that rounding makes no two values equal.
        const ranks = ended.map((one, at): Observation => ({ ...one, value: one.value && (at * 7919) % 101 }));
        const mapped = (map: (value: number) => number) =>
          ranks.map(
            ({ point, value }): Observation => ({ point, value: value === undefined ? undefined : map(value) }),
          );
        const point = nextPoint(search, 50, { ended: ranks, running });
        expect(nextPoint(search, 50, { ended: mapped((x) => x ** 3 - 5), running })).toEqual(point);
        expect(nextPoint({ ...search, goal: 'maximize' }, 50, { ended: mapped((x) => -x), running })).toEqual(point);
      }),
    );
  });

  it('the next point differs between indexes, so that a dropped point is not suggested repeatedly', () => {
    const ended = run(SQUARE, 30, ({ x, y }) => Number(x) ** 2 + Number(y) ** 2);
    const points = [30, 31, 32].map((index) => JSON.stringify(nextPoint(SQUARE, index, { ended, running: [] })));
    expect(new Set(points).size).toBe(3);
  });

  it('the value of a parameter without an effect does not change the next point', () => {
    const search: TpeSearch = {
      seed: 3,
      goal: 'minimize',
      isActive: (point, name) => name !== 'momentum' || point.optimizer === 'sgd',
      space: new Map<string, Distribution>([
        ['optimizer', { kind: 'categorical', values: ['sgd', 'adam'], probabilities: undefined }],
        ['rate', { kind: 'log_uniform', min: 1e-5, max: 1, q: undefined }],
        ['momentum', { kind: 'uniform', min: 0, max: 1, q: undefined }],
      ]),
    };
    const ended = run(search, 40, ({ optimizer, rate, momentum }) =>
      optimizer === 'sgd'
        ? Math.abs(Math.log10(Number(rate)) + 2) + Number(momentum)
        : Math.abs(Math.log10(Number(rate)) + 3),
    );
    const changed = ended.map(
      ({ point, value }): Observation => ({
        point: point.optimizer === 'sgd' ? point : { ...point, momentum: 0.123 },
        value,
      }),
    );
    expect(changed).not.toEqual(ended);
    expect(nextPoint(search, 40, { ended: changed, running: [] })).toEqual(
      nextPoint(search, 40, { ended, running: [] }),
    );
  });

  it('TPE gets closer to the minimum of a smooth function than a random search', () => {
    const value = ({ x, y }: Point) => (Number(x) - 1) ** 2 + (Number(y) + 2) ** 2;
    const best = (points: readonly Observation[]) =>
      Math.min(...points.map((one) => one.value ?? Number.POSITIVE_INFINITY));
    const random = best(
      Array.from({ length: 60 }, (_, index) => nextPoint(SQUARE, index, { ended: [], running: [] })).map((point) => ({
        point,
        value: value(point),
      })),
    );
    expect(best(run(SQUARE, 60, value))).toBeLessThan(random / 4);
  });

  it('TPE avoids a region in which trials fail', () => {
    const ended = run(SQUARE, 80, ({ x, y }) => (Number(x) > 0 ? undefined : Number(y) ** 2));
    const late = ended.slice(40);
    expect(late.filter(({ value }) => value === undefined).length).toBeLessThan(late.length / 4);
  });

  it('TPE prefers points that have not been tried', () => {
    const search: TpeSearch = {
      ...SQUARE,
      space: new Map([
        ['x', { kind: 'int_uniform', min: -4, max: 4 }],
        ['y', { kind: 'int_uniform', min: -4, max: 4 }],
      ]),
    };
    const ended = run(search, 40, ({ x, y }) => Number(x) ** 2 + Number(y) ** 2);
    // The first ten points are random.
    const tried = new Set(ended.slice(0, 10).map(({ point }) => `${point.x} ${point.y}`));
    const later = ended.slice(10).map(({ point }) => `${point.x} ${point.y}`);
    expect(new Set(later).size).toBe(later.length);
    expect(later.filter((point) => tried.has(point))).toEqual([]);
  });

  it('the next point is random until a trial succeeds', () => {
    const ended = run(SQUARE, 30, () => undefined);
    expect(nextPoint(SQUARE, 30, { ended, running: [] })).toEqual(nextPoint(SQUARE, 30, { ended: [], running: [] }));
  });

  it('TPE keeps parallel trials apart, and avoids points near a running trial', () => {
    const ended = run(SQUARE, 40, ({ x, y }) => Number(x) ** 2 + Number(y) ** 2);
    const distances = (running: (point: Point) => Point[]) =>
      Array.from({ length: 40 }, (_, index) => {
        const first = nextPoint(SQUARE, 1_000 + index, { ended, running: [] });
        const second = nextPoint(SQUARE, 2_000 + index, { ended, running: running(first) });
        return Math.hypot(Number(first.x) - Number(second.x), Number(first.y) - Number(second.y));
      }).reduce((sum, distance) => sum + distance, 0);
    // Ten trials run at the same point, because the effect of a single trial would be less than random variation.
    expect(distances((point) => Array.from({ length: 10 }, () => point))).toBeGreaterThan(distances(() => []));
  });
});
