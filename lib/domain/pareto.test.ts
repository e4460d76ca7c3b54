import fc from 'fast-check';
import { expect, test } from 'vitest';
import { exclusiveVolume, hypervolume, type Losses } from './hypervolume.ts';
import { bestPlaces, contributionsOf, frontsOf, lossesOf, MAX_EXACT_FRONT, rankByLosses } from './pareto.ts';

const SIDE = 6;
const pointsOf = (objectives: number) =>
  fc.array(fc.array(fc.integer({ min: 0, max: SIDE - 1 }), { minLength: objectives, maxLength: objectives }), {
    minLength: 1,
    maxLength: 14,
  });
const points = fc.integer({ min: 2, max: 4 }).chain(pointsOf);

const dominates = (a: Losses, b: Losses) =>
  a.every((loss, m) => loss <= (b[m] ?? 0)) && a.some((loss, m) => loss < (b[m] ?? 0));

/** Finds the fronts one at a time: the points of each front are removed before the next front is found. */
function peeledFronts(all: readonly Losses[]): number[] {
  const numbers = all.map(() => -1);
  for (let front = 0; numbers.includes(-1); front++) {
    const rest = all.flatMap((losses, at) => (numbers[at] === -1 ? [{ losses, at }] : []));
    for (const { losses, at } of rest) {
      if (!rest.some((other) => dominates(other.losses, losses))) numbers[at] = front;
    }
  }
  return numbers;
}

/** Counts the unit cells that at least one point dominates. */
function countedVolume(all: readonly Losses[], objectives: number): number {
  let count = 0;
  for (let cell = 0; cell < SIDE ** objectives; cell++) {
    const corner = Array.from({ length: objectives }, (_, m) => Math.floor(cell / SIDE ** m) % SIDE);
    if (all.some((losses) => losses.every((loss, m) => loss <= (corner[m] ?? 0)))) count++;
  }
  return count;
}

test('frontsOf finds the same fronts as a search that finds and removes one front at a time', () => {
  fc.assert(
    fc.property(points, (all) => {
      expect(frontsOf(all)).toEqual(peeledFronts(all));
    }),
  );
});

test('the hypervolume of points equals the number of unit cells that they dominate', () => {
  fc.assert(
    fc.property(points, (all) => {
      const objectives = all[0]?.length ?? 0;
      const reference = Array.from({ length: objectives }, () => SIDE);
      expect(hypervolume(all, reference)).toBeCloseTo(countedVolume(all, objectives), 6);
    }),
  );
});

test('the exclusive volume of a point is the hypervolume of all points minus the hypervolume of the other points', () => {
  fc.assert(
    fc.property(points, ([first = [], ...others]) => {
      const reference = first.map(() => SIDE);
      const difference = hypervolume([first, ...others], reference) - hypervolume(others, reference);
      expect(exclusiveVolume(first, others, reference)).toBeCloseTo(difference, 6);
    }),
  );
});

test('the contributions of a front equal the exclusive volumes of its points', () => {
  fc.assert(
    fc.property(points, (all) => {
      const numbers = frontsOf(all);
      const front = all.filter((_, at) => numbers[at] === 0).map((losses) => losses.map((loss) => loss / SIDE));
      const distinct = [...new Map(front.map((losses) => [losses.join(), losses])).values()];
      const expected = front.map((losses) => {
        const others = distinct.filter((other) => other.join() !== losses.join());
        return exclusiveVolume(
          losses,
          others,
          losses.map(() => 1.1),
        );
      });
      for (const [at, contribution] of contributionsOf(front).entries()) {
        expect(contribution).toBeCloseTo(expected[at] ?? Number.NaN, 9);
      }
    }),
  );
});

test('an item that dominates another item has a better place, and equal items share a place', () => {
  fc.assert(
    fc.property(points, (all) => {
      const ranked = rankByLosses(
        all.map((losses, index) => ({ losses, index })),
        ({ losses }) => losses,
      );
      for (const [a, { place }] of ranked) {
        for (const [b, other] of ranked) {
          if (dominates(a.losses, b.losses)) expect(place).toBeLessThan(other.place);
          if (a.losses.join() === b.losses.join()) expect(place).toBe(other.place);
        }
      }
    }),
  );
});

test('bestPlaces gives the best items the same places as the whole ranking does', () => {
  fc.assert(
    fc.property(points, fc.integer({ min: 1, max: 30 }), (all, limit) => {
      const ranked = rankByLosses(
        all.map((losses, index) => ({ losses, index })),
        ({ losses }) => losses,
      );
      const places = new Map(ranked.map(([{ index }, { place }]) => [index, place]));
      const best = bestPlaces(all, limit);
      expect(best.size).toBeGreaterThanOrEqual(Math.min(limit, all.length));
      for (const [index, place] of best) expect(place).toBe(places.get(index));
      const worst = Math.max(...best.values());
      for (const [index, place] of places) if (!best.has(index)) expect(place).toBeGreaterThan(worst);
    }),
  );
});

test('the ranking does not change if each objective is scaled and shifted', () => {
  fc.assert(
    fc.property(points, (all) => {
      const idsOf = (items: readonly Losses[]) =>
        rankByLosses(
          items.map((losses, index) => ({ losses, index })),
          ({ losses }) => losses,
        ).map(([{ index }, { front }]) => [index, front]);
      const scaled = all.map((losses) => losses.map((loss, m) => loss * 4 ** m + 8));
      expect(idsOf(scaled)).toEqual(idsOf(all));
    }),
  );
});

test('the items of a front are ordered by the hypervolume that each item adds to the front', () => {
  const items = [
    [0, 10],
    [1, 9],
    [5, 2],
    [10, 0],
    [10, 10],
  ].map((losses, index) => ({ losses, index }));
  const ranked = rankByLosses(items, ({ losses }) => losses);
  expect(ranked.map(([{ index }, { place, front }]) => [index, place, front])).toEqual([
    [2, 1, 1],
    [1, 2, 1],
    [3, 3, 1],
    [0, 4, 1],
    [4, 5, 2],
  ]);
});

test('multiplying all losses by a factor does not change the ranking, even if a distance then exceeds the largest number', () => {
  const losses = [
    [-1.7, 1.7],
    [-1.6, 1.5],
    [0, -1.2],
    [1.7, -1.7],
    [1.7, 1.7],
  ];
  const ranked = (factor: number) =>
    rankByLosses(
      losses.map((item, index) => ({ index, losses: item.map((loss) => loss * factor) })),
      (item) => item.losses,
    ).map(([{ index }, place]) => [index, place]);
  expect(ranked(1e308)).toEqual(ranked(1));
  const extreme = losses.map((item) => item.map((loss) => loss * 1e308));
  expect([...bestPlaces(extreme, 5)]).toEqual([...bestPlaces(losses, 5)]);
});

test('items with a missing or non-finite objective come last, with place 0', () => {
  const items = [
    [Number.NaN, 1],
    [2, undefined],
    [3, 3],
  ].map((values, index) => ({ values, index }));
  const ranked = rankByLosses(items, ({ values }) => lossesOf(values, ['minimize', 'maximize']));
  expect(ranked.map(([{ index }, { place, front }]) => [index, place, front])).toEqual([
    [2, 1, 1],
    [0, 0, 0],
    [1, 0, 0],
  ]);
});

test('a maximized objective ranks its highest value first', () => {
  const items = [1, 2].map((value, index) => ({ values: [0, value], index }));
  const ranked = rankByLosses(items, ({ values }) => lossesOf(values, ['minimize', 'maximize']));
  expect(ranked.map(([{ index }]) => index)).toEqual([1, 0]);
});

test('the items of a large front of three objectives share a place', () => {
  const items = Array.from({ length: MAX_EXACT_FRONT + 1 }, (_, index) => ({
    losses: [index, MAX_EXACT_FRONT - index, 0],
    index,
  }));
  const places = rankByLosses(items, ({ losses }) => losses).map(([, { place }]) => place);
  expect(new Set(places)).toEqual(new Set([1]));
});

test('30,000 items with two objectives are ranked in less than ten seconds', () => {
  const items = Array.from({ length: 30_000 }, (_, index) => ({
    losses: [(index * 7919) % 100_003, (index * 104_729) % 99_991],
    index,
  }));
  const start = process.cpuUsage().user;
  expect(rankByLosses(items, ({ losses }) => losses)).toHaveLength(30_000);
  expect((process.cpuUsage().user - start) / 1e6).toBeLessThan(10);
});
