import fc from 'fast-check';
import { expect, test } from 'vitest';
import { columnsOf, truncate } from './width.ts';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
const texts = fc
  .array(fc.constantFrom('a', 'é', 'e\u0301', '漢', '👩‍👩‍👧', '🇩🇪', '👍🏽', ' ', '한', '1️⃣'), { maxLength: 12 })
  .map((parts) => parts.join(''));

test('a truncated text fits its width and ends after a whole grapheme', () => {
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
