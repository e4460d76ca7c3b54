import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Line, LineCutter, MAX_LINE } from './lines.ts';

function cut(pieces: readonly string[]): Line[] {
  const cutter = new LineCutter();
  return [...pieces.flatMap((piece) => [...cutter.push(piece)]), ...cutter.end()];
}

test('lines come out the same however the text arrives', () => {
  const pieces = fc.array(fc.oneof(fc.string(), fc.constantFrom('\n', 'a\nb', '\n\n')));
  fc.assert(
    fc.property(pieces, (given) => {
      const lines = cut(given);
      const whole = given.join('').replaceAll('\r\n', '\n');
      expect(lines.map(({ text, ended }) => text + (ended ? '\n' : '')).join('')).toBe(whole);
      expect(lines.every((line) => line.whole)).toBe(true);
    }),
  );
});

test('a line that never ends is passed on in parts, and the next one is whole again', () => {
  const lines = cut([...Array.from({ length: 10 }, () => 'x'.repeat(MAX_LINE / 2)), 'end\n{"a":1}\n']);
  expect(lines.slice(0, -1).every(({ whole }) => !whole)).toBe(true);
  expect(Math.max(...lines.map(({ text }) => text.length))).toBeLessThanOrEqual(2 * MAX_LINE);
  expect(lines.at(-1)).toEqual({ text: '{"a":1}', whole: true, ended: true });
});
