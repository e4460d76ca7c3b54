import fc from 'fast-check';
import { expect, test } from 'vitest';
import { editDistance, nearest } from './did-you-mean.ts';

test.each([
  ['depht', 'depth'],
  ['Depth', 'depth'],
  ['latent-dim', 'latent_dim'],
  ['latentdim', 'latent_dim'],
  ['lat', 'latent_dim'],
  ['epoch', 'epochs'],
  ['learning_rates', 'learning_rate'],
])('the nearest name to %s is %s', (written, meant) => {
  expect(nearest(written, ['dataset', 'depth', 'latent_dim', 'epochs', 'learning_rate'])).toBe(meant);
});

test.each(['zzz', 'x', '', 'momentum'])('no known name is near %j', (written) => {
  expect(nearest(written, ['dataset', 'depth', 'latent_dim', 'epochs'])).toBeUndefined();
});

test('the edit distance is zero only for equal texts, is symmetric, and is at most the length of the longer text', () => {
  const word = fc.string({ maxLength: 8 });
  fc.assert(
    fc.property(word, word, (a, b) => {
      const distance = editDistance(a, b);
      expect(distance === 0).toBe(a === b);
      expect(editDistance(b, a)).toBe(distance);
      expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length));
    }),
  );
});
