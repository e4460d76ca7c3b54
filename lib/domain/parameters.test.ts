import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Grant } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { fromWire, toWire } from './parameters.ts';

const parameters = fc.dictionary(
  fc.string({ minLength: 1 }).filter((name) => name !== '__proto__'),
  fc.oneof(fc.double(), fc.string({ unit: 'grapheme' }), fc.boolean()),
  { noNullPrototype: true },
);

test('parameters survive a round trip through a message', () => {
  fc.assert(
    fc.property(parameters, (given) => {
      const message = Grant.fromPartial({ trainer: 'noop', parameters: toWire(given), seed: 1 });
      const got = Grant.decode(Grant.encode(message).finish());
      expect(fromWire(got.parameters)).toEqual(given);
    }),
  );
});

test('a value without a kind is rejected, and the error names the parameter', () => {
  expect(() => fromWire({ depth: { kind: undefined } })).toThrow(/depth/);
});
