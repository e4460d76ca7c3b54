import fc from 'fast-check';
import { expect, test } from 'vitest';
import { columnsOf } from '../../lib/text/width.ts';
import { wrapWords } from './wrap-words.ts';

test('a text is wrapped at its spaces, and a word that is longer than a line is shortened', () => {
  expect(wrapWords('all replicates have identical results', 16)).toEqual([
    'all replicates',
    'have identical',
    'results',
  ]);
  expect(wrapWords('see https://example.org/a/long/path', 10)).toEqual(['see', 'https://e…']);
});

test('no wrapped line is wider than the given columns, and short words stay whole', () => {
  const word = fc.string({ minLength: 1, maxLength: 6, unit: fc.constantFrom('a', 'b', 'é', '漢') });
  fc.assert(
    fc.property(fc.array(word, { minLength: 1, maxLength: 20 }), fc.integer({ min: 12, max: 40 }), (words, columns) => {
      const lines = wrapWords(words.join(' '), columns);
      for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(columns);
      expect(lines.join(' ')).toBe(words.join(' '));
    }),
  );
});
