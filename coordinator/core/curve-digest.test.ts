import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CURVE_REPORTS, EMPTY_CURVE, withCurveReport } from './curve-digest.ts';

type Value = readonly [step: number, name: string, value: number];

const digestOf = (values: readonly Value[]): number =>
  values.reduce((digest, [step, name, value]) => withCurveReport(digest, step, { [name]: value }), EMPTY_CURVE).sum;

const curve = fc.array(fc.tuple(fc.nat({ max: 3 }), fc.constantFrom('loss', 'acc'), fc.constantFrom(0, 0.5, 1)), {
  maxLength: 6,
});
const textOf = (values: readonly Value[]) => values.map((value) => value.join(' ')).sort();

test('two curves have the same digest if and only if they have the same values at the same steps, in any order', () => {
  fc.assert(
    fc.property(curve, curve, (a, b) => {
      const isSame = JSON.stringify(textOf(a)) === JSON.stringify(textOf(b));
      expect(digestOf(a) === digestOf(b)).toBe(isSame);
      expect(digestOf(a.toReversed())).toBe(digestOf(a));
    }),
  );
});

test('a report with two metrics has the same digest as two reports of one metric each', () => {
  const once = withCurveReport(EMPTY_CURVE, 1, { loss: 0.5, acc: 1 }).sum;
  expect(digestOf([[1, 'acc', 1] as const, [1, 'loss', 0.5] as const])).toBe(once);
});

test('all values that are not finite have the same digest, and the digest of a long curve is a safe integer', () => {
  const digests = [Number.NaN, Number.POSITIVE_INFINITY].map((value) => digestOf([[1, 'loss', value]]));
  expect(digests[0]).toBe(digests[1]);
  const many = digestOf(Array.from({ length: 1_000 }, (_, step) => [step, 'loss', step / 7] as const));
  expect(Number.isSafeInteger(many)).toBe(true);
});

test('reports after the first thousand do not change the digest', () => {
  const values = Array.from({ length: CURVE_REPORTS }, (_, step) => [step, 'loss', 1] as const);
  expect(digestOf([...values, [CURVE_REPORTS, 'loss', 1]])).toBe(digestOf(values));
  expect(digestOf(values.slice(1))).not.toBe(digestOf(values));
});
