import fc from 'fast-check';
import { expect, test } from 'vitest';
import { columnsOf, truncate } from './width.ts';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const texts = fc
  .array(fc.constantFrom('a', 'é', 'e\u0301', '漢', '👩‍👩‍👧', '🇩🇪', '👍🏽', ' ', '한', '1️⃣'), { maxLength: 12 })
  .map((parts) => parts.join(''));

test('a truncated text fits the width and ends after a whole grapheme', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 12 }), (text, width) => {
      const cut = truncate(text, width);
      expect(columnsOf(cut)).toBeLessThanOrEqual(width);
      if (columnsOf(text) <= width) {
        expect(cut).toBe(text);
        return;
      }
      expect(cut.endsWith('…')).toBe(true);
      const starts = [...graphemes.segment(text)].map(({ index }) => index);
      const kept = cut.slice(0, -1);
      expect(text.startsWith(kept)).toBe(true);
      expect(starts).toContain(kept.length);
    }),
  );
});

test('a text that is shortened at its start or in its middle fits the width, and the rest of the text is unchanged', () => {
  fc.assert(
    fc.property(texts, fc.integer({ min: 1, max: 12 }), (text, width) => {
      for (const omitted of ['start', 'middle'] as const) {
        const cut = truncate(text, width, omitted);
        expect(columnsOf(cut)).toBeLessThanOrEqual(width);
        if (columnsOf(text) <= width) expect(cut).toBe(text);
        else {
          const [before = '', after = ''] = cut.split('…');
          expect(text.startsWith(before) && text.endsWith(after)).toBe(true);
          if (omitted === 'start') expect(before).toBe('');
        }
      }
    }),
  );
  expect(truncate('autoencoder-wide', 9, 'middle')).toBe('auto…wide');
  expect(truncate('/data/mnist/train.npz', 10, 'start')).toBe('…train.npz');
});
