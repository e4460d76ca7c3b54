import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toWire } from '../../../lib/domain/parameters.ts';
import { trialAt } from '../../../test/support/dashboard/sample.ts';
import { idLength, MAX_RUN_NAME, runName } from './write-runs.ts';

test('the name of a run contains the id of its trial and the parameters that vary', () => {
  expect(runName(trialAt(3), ['latent_dim', 'noise_std', 'seed'], 8)).toBe(
    'b1000000-latent_dim=30,noise_std=0.5,seed=0',
  );
  expect(runName(trialAt(0), [], 8)).toBe('a0000000');
});

test('for any parameter value, the name of a run is a single valid folder name', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (x) => {
      const name = runName(trialAt(0, { parameters: toWire({ x }) }), ['x'], 8);
      expect(name).toMatch(/^a0000000-x=[\w.=,+-]*$/);
      expect(name.length).toBeLessThanOrEqual(MAX_RUN_NAME);
    }),
  );
});

test('ids are shortened, but stay unique', () => {
  expect(idLength(['aaaaaaaaaaaaaaaa', 'baaaaaaaaaaaaaaa'])).toBe(8);
  expect(idLength(['aaaaaaaaa0000000', 'baaaaaaaaaaaaaaa', 'aaaaaaaaa1000000'])).toBe(10);
  const id = fc.string({ unit: fc.constantFrom('0', '1'), minLength: 12, maxLength: 12 });
  fc.assert(
    fc.property(fc.uniqueArray(id), (ids) => {
      const length = idLength(ids);
      expect(new Set(ids.map((of) => of.slice(0, length))).size).toBe(ids.length);
    }),
  );
});
