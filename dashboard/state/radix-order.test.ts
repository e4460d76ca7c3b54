import { endianness } from 'node:os';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { orderOf } from './order.ts';
import { radixOrder } from './radix-order.ts';

test('the radix sort gives the same order as a stable comparison sort', () => {
  expect(endianness()).toBe('LE');
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true })), fc.boolean(), (values, descending) => {
      const compared = values
        .map((value, i) => ({ value: value === 0 ? 0 : value, i }))
        .sort((a, b) => (a.value === b.value ? a.i - b.i : a.value < b.value !== descending ? -1 : 1));
      expect([...radixOrder(Float64Array.from(values), descending)]).toEqual(compared.map(({ i }) => i));
    }),
  );
});

test('numbers, words and missing keys have the same order in the radix sort, which sorts many rows, as in the comparison sort, which sorts few rows', () => {
  const key = fc.option(fc.oneof(fc.integer({ min: -3, max: 3 }), fc.constantFrom('a', 'b', 'c')), { nil: undefined });
  fc.assert(
    fc.property(fc.array(key, { minLength: 4, maxLength: 12 }), fc.boolean(), (keys, descending) => {
      const ordering = { key: (row: { key: number | string | undefined }) => row.key, descending, keep: () => true };
      const few = keys.map((own, index) => ({ id: `${index}`, index, key: own }));
      const times = 300;
      const many = Array.from({ length: times }, (_, t) =>
        few.map((row) => ({ ...row, id: `${row.index}/${t}`, index: t * few.length + row.index })),
      ).flat();
      const small = orderOf(few, ordering).rows.map(({ key }) => key);
      const runs = orderOf(many, ordering).rows.map(({ key }) => key);
      expect(runs).toEqual(small.flatMap((own) => Array(times).fill(own)));
    }),
    { numRuns: 20 },
  );
});
