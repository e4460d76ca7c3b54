import fc from 'fast-check';
import { expect, test } from 'vitest';
import { rank } from './ranking.ts';

interface Item {
  readonly index: number;
  readonly metrics: Readonly<Record<string, number>>;
}

const value = fc.oneof(
  fc.constantFrom(0, -0, 1, 1, 2, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, undefined),
  fc.double(),
);
const items = fc
  .array(value, { maxLength: 30 })
  .map((values) => values.map((loss, index): Item => ({ index, metrics: loss === undefined ? {} : { loss } })));
const goal = fc.constantFrom('minimize' as const, 'maximize' as const);

const lossOf = (item: Item) => item.metrics.loss ?? Number.NaN;

test('the order is total: it does not depend on the order that the trials come in', () => {
  const shuffled = items.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, goal, ([list, other], way) => {
      expect(rank(other, 'loss', way)).toEqual(rank(list, 'loss', way));
    }),
  );
});

test('every trial is ranked once; better values come first, equal ones by index, and share a rank', () => {
  fc.assert(
    fc.property(items, goal, (list, way) => {
      const ranked = rank(list, 'loss', way);
      expect(ranked.map(([item]) => item.index).sort((a, b) => a - b)).toEqual(list.map((item) => item.index));
      for (const [at, [item, place]] of ranked.entries()) {
        const finite = Number.isFinite(lossOf(item));
        // As sport has it: one more than the number of those that are better.
        const better = list
          .filter((other) => (way === 'minimize' ? lossOf(other) < lossOf(item) : lossOf(other) > lossOf(item)))
          .filter((other) => Number.isFinite(lossOf(other)));
        expect(place).toBe(finite ? better.length + 1 : 0);
        const before = ranked[at - 1];
        if (before === undefined) continue;
        if (before[1] === place) expect(before[0].index).toBeLessThan(item.index);
        else expect(finite ? before[1] < place : before[1] > 0).toBe(true);
      }
    }),
  );
});

test('values that are not finite numbers, and other metrics, come last without a rank', () => {
  const list = [Number.NaN, 2, Number.POSITIVE_INFINITY, 1].map((loss, index) => ({ index, metrics: { loss } }));
  const places = (ranked: [Item, number][]) => ranked.map(([item, place]) => [item.index, place]);
  expect(places(rank(list, 'loss', 'minimize'))).toEqual([
    [3, 1],
    [1, 2],
    [0, 0],
    [2, 0],
  ]);
  expect(places(rank(list, 'psnr', 'minimize')).every(([, place]) => place === 0)).toBe(true);
});

test('who is not eligible comes after everybody who is, without a rank', () => {
  const list = [1, 2, 3].map((loss, index) => ({ index, metrics: { loss } }));
  const ranked = rank(list, 'loss', 'minimize', (item) => item.index !== 0);
  expect(ranked.map(([item, place]) => [item.index, place])).toEqual([
    [1, 1],
    [2, 2],
    [0, 0],
  ]);
});
