import fc from 'fast-check';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { ascii } from './ascii.ts';

test('ASCII replacements keep the width', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      const plain = ascii(text);
      expect(plain).toMatch(/^[\0-\x7f]*$/);
      if (!/\p{Cc}|\p{Cf}|\p{M}/u.test(text)) expect(stringWidth(plain)).toBe(stringWidth(text));
    }),
  );
});
