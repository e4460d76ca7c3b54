import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Grant } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { parameterValue } from '../../proto/values.ts';
import { fromWire, toWire } from './parameters.ts';

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

test('parameters of any name survive a round trip through a message', () => {
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
