import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Grant } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { parameterValue } from '../../proto/values.ts';
import { determinedLast, fromWire, toWire } from './parameters.ts';

const entries = fc.uniqueArray(
  fc.tuple(
    fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('__proto__', 'constructor', 'toString')),
    fc.oneof(
      fc.double({ noNaN: true }),
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constant(parameterValue([8, null])),
    ),
  ),
  { selector: ([name]) => name, maxLength: 8 },
);

test('parameters with any names are unchanged after a round trip through a message', () => {
  fc.assert(
    fc.property(entries, (given) => {
      const message = Grant.fromPartial({ trainer: 'noop', parameters: toWire(Object.fromEntries(given)), seed: 1 });
      const got = Grant.decode(Grant.encode(message).finish());
      const received = new Map(Object.entries(fromWire(got.parameters)));
      expect(received.size).toBe(given.length);
      for (const [name, value] of given) expect(received.get(name)).toBe(value);
    }),
  );
});

test('a value without a kind is rejected, and the error names the parameter', () => {
  expect(() => fromWire({ depth: { kind: undefined } })).toThrow(/depth/);
});

/** Lists every combination of the given values. */
const grid = (axes: Readonly<Record<string, readonly (string | number)[]>>) =>
  Object.entries(axes).reduce<Record<string, string | number>[]>(
    (points, [name, values]) => points.flatMap((point) => values.map((value) => ({ ...point, [name]: value }))),
    [{}],
  );
const orderOf = (points: readonly Record<string, string | number>[], names: readonly string[]) =>
  determinedLast(
    points.map((parameters) => ({ parameters: toWire(parameters) })),
    names,
  );

test('a parameter that has a single value, and exists only with one value of another parameter, counts as determined', () => {
  const points = grid({ optimizer: ['adam', 'sgd'], depth: [2, 3, 4], width: [8, 16] }).map((point) =>
    point.optimizer === 'sgd' ? { momentum: 0.9, ...point } : point,
  );
  expect(orderOf(points, ['depth', 'momentum', 'optimizer', 'width'])).toEqual({
    own: ['depth', 'optimizer', 'width'],
    determined: ['momentum'],
  });
});

test('a parameter that exists only with one value of another parameter, but has several values, varies on its own', () => {
  const points = grid({ optimizer: ['adam', 'sgd', 'sgd'], depth: [2, 3, 4], width: [8, 16] }).map((point, at) =>
    point.optimizer === 'sgd' ? { momentum: at % 2 ? 0.8 : 0.9, ...point } : point,
  );
  expect(orderOf(points, ['momentum', 'optimizer']).own).toEqual(['momentum', 'optimizer']);
});

test('a parameter whose value depends only on the value of another parameter counts as determined', () => {
  const points = grid({ depth: [2, 3, 4], lr: [0.1, 0.2, 0.3] }).map((point) => ({
    ...point,
    epochs: point.depth === 2 ? 10 : 20,
  }));
  expect(orderOf(points, ['depth', 'epochs', 'lr'])).toEqual({ own: ['depth', 'lr'], determined: ['epochs'] });
});

test('no parameter of a random search determines another, and each parameter of a full grid varies on its own', () => {
  const random = Array.from({ length: 40 }, (_, at) => ({ lr: Math.sin(at), wd: Math.cos(at), depth: at % 3 }));
  expect(orderOf(random, ['depth', 'lr', 'wd']).determined).toEqual([]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 2, max: 4 }), { minLength: 3, maxLength: 4 }), (sizes) => {
      const axes = sizes.map((size, at) => [`p${at}`, Array.from({ length: size }, (_, level) => level)] as const);
      expect(
        orderOf(
          grid(Object.fromEntries(axes)),
          axes.map(([name]) => name),
        ).determined,
      ).toEqual([]);
    }),
  );
});
