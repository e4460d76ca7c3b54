import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Parameters, TRAINERS, withDefaults } from '../../proto/trainers.ts';
import { canonicalJson } from '../../proto/values.ts';
import { parseSweep } from '../sweepfile/parse.ts';
import { enumerateTrials } from './enumerate.ts';
import { configId, trialId } from './trial-id.ts';

const parameters: fc.Arbitrary<Parameters> = fc.dictionary(
  fc.stringMatching(/^[a-z]{1,6}$/),
  fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean()),
);

test('the id of a trial does not depend on the order of keys', () => {
  fc.assert(
    fc.property(parameters, fc.nat(), (given, seed) => {
      const reversed = Object.fromEntries(Object.entries(given).reverse());
      expect(trialId('noop', reversed, seed)).toBe(trialId('noop', given, seed));
      expect(configId('noop', reversed)).toBe(configId('noop', given));
    }),
  );
});

test('the id of a trial does not depend on whether defaults are written out', () => {
  fc.assert(
    fc.property(parameters, (given) => {
      expect(configId('noop', withDefaults(TRAINERS.noop, given))).toBe(configId('noop', given));
    }),
  );
});

test('trials with different parameters, seeds or trainers have different ids', () => {
  fc.assert(
    fc.property(parameters, parameters, (one, other) => {
      const same =
        canonicalJson(withDefaults(TRAINERS.noop, one)) === canonicalJson(withDefaults(TRAINERS.noop, other));
      expect(trialId('noop', one, 1) === trialId('noop', other, 1)).toBe(same);
    }),
  );
  expect(new Set([trialId('noop', {}, 0), trialId('noop', {}, 1), configId('noop', {})]).size).toBe(3);
  expect(trialId('autoencoder', {}, 0)).not.toBe(trialId('noop', {}, 0));
  expect(trialId('noop', { x: 1 }, 0)).not.toBe(trialId('noop', { x: '1' }, 0));
});

test.each([
  ['1e-5', '0.00001'],
  ['1e-5', '10.0e-6'],
  ['0', '-0.0'],
  ['100', '1.0e2'],
  ['16', '0x10'],
])('the values %s and %s give the same point', (one, other) => {
  const idOf = (written: string) => {
    const [trial] = enumerateTrials(parseSweep(`{trainer: noop, parameters: {x: {value: ${written}}}}`, 'x.yaml'));
    return trial?.trialId;
  };
  expect(idOf(one)).toMatch(/^[0-9a-f]{16}$/);
  expect(idOf(one)).toBe(idOf(other));
});

test('the id of a trial is the same in all versions of trawl, because stored trials are found by their ids', () => {
  expect(trialId('autoencoder', { latent_dim: 15, lambda_l1: 1e-5 }, 0)).toBe('31213b80835ea377');
  expect(configId('autoencoder', { latent_dim: 15, lambda_l1: 1e-5 })).toBe('51e54aa99cae80df');
});
