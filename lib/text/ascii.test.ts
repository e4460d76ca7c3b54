import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asciiText } from './ascii.ts';
import { columnsOf } from './width.ts';

test('every text becomes ASCII, and ASCII text is unchanged', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (text) => {
      expect(asciiText(text)).toMatch(/^[\0-\x7f]*$/);
      expect(asciiText(asciiText(text))).toBe(asciiText(text));
    }),
  );
});

test('signs and letters have readable replacements in ASCII', () => {
  expect(asciiText('0.168 ±0.0015')).toBe('0.168 +/-0.0015');
  expect(asciiText('71 °C, 30°')).toBe('71 C, 30deg');
  expect(asciiText('café naïve Ångström straße 5 µs')).toBe('cafe naive Angstrom strasse 5 us');
  expect(asciiText('a…b · 2×GPU → ▲')).toBe('a~b - 2xGPU > ^');
  expect(asciiText('数 🙂')).toBe('?? ??');
});

test('the ASCII replacements of lines, bars and dots are one column wide', () => {
  for (const drawn of '│─├└┤┬┼█▓▒░▀▁▂▃▄▅▆▇⠀⠁⡀⣿▲▼▸▾●★→←↑↓×·…') expect(columnsOf(asciiText(drawn))).toBe(1);
});
