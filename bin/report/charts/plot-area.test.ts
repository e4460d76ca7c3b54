import fc from 'fast-check';
import { expect, test } from 'vitest';
import { elementsOfFragment, textOf } from '../markup.fixture.ts';
import { AREA, labelsBelow, valueScale } from './plot-area.ts';

const finite = fc.array(fc.double({ min: -1e6, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 20 });

test('every value lies within the area, and larger values are higher', () => {
  fc.assert(
    fc.property(finite, (values) => {
      const { at } = valueScale(values);
      const places = values.toSorted((a, b) => a - b).map(at);
      for (const [i, place] of places.entries()) {
        expect(place).toBeGreaterThanOrEqual(AREA.top - 1e-6);
        expect(place).toBeLessThanOrEqual(AREA.bottom + 1e-6);
        expect(place).toBeLessThanOrEqual((places[i - 1] ?? AREA.bottom) + 1e-6);
      }
    }),
  );
});

test('an axis is logarithmic only if its values are positive and far apart', () => {
  expect(valueScale([0.001, 10]).log).toBe(true);
  expect(valueScale([1, 10]).log).toBe(false);
  expect(valueScale([0, 1e6]).log).toBe(false);
  expect(valueScale([-1, 1e6]).log).toBe(false);
});

test('a chart has ticks even for one value or none', () => {
  for (const values of [[], [0], [5], [1e-12], [0.2, 0.3], [1e-4, 1e4]]) {
    const { ticks } = valueScale(values);
    expect(ticks.length).toBeGreaterThan(1);
    expect(new Set(ticks.map(([, label]) => label)).size).toBe(ticks.length);
  }
});

test('if labels would overlap, only every nth label is kept', () => {
  const shownOf = (labels: readonly string[]) =>
    elementsOfFragment(
      labelsBelow(
        labels.map((label, i) => [i * 10, label]),
        '',
      ),
    )
      .filter(({ tagName }) => tagName === 'text')
      .map(textOf)
      .filter((label) => label !== '');
  expect(shownOf(['1', '2', '3'])).toEqual(['1', '2', '3']);
  const many = Array.from({ length: 40 }, (_, i) => `value ${100 + i}`);
  expect(shownOf(many)).toEqual(many.filter((_, i) => i % 10 === 0));
});
