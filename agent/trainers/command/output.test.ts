import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LineSplitter, MAX_LINE, type OutputLine } from './output.ts';

function split(chunks: readonly string[]): OutputLine[] {
  const splitter = new LineSplitter();
  return [...chunks.flatMap((chunk) => [...splitter.push(chunk)]), ...splitter.end()];
}

test('the lines do not depend on how the text is divided into chunks', () => {
  const chunks = fc.array(fc.oneof(fc.string(), fc.constantFrom('\n', 'a\nb', '\n\n')));
  fc.assert(
    fc.property(chunks, (given) => {
      const lines = split(given);
      const whole = given.join('').replaceAll('\r\n', '\n');
      expect(lines.map(({ text, isEnded }) => text + (isEnded ? '\n' : '')).join('')).toBe(whole);
      expect(lines.every((line) => line.isWhole)).toBe(true);
    }),
  );
});

test('an overlong line is passed on in parts, and the next line is whole again', () => {
  const lines = split([...Array.from({ length: 10 }, () => 'x'.repeat(MAX_LINE / 2)), 'end\n{"a":1}\n']);
  expect(lines.slice(0, -1).every(({ isWhole }) => !isWhole)).toBe(true);
  expect(Math.max(...lines.map(({ text }) => text.length))).toBeLessThanOrEqual(2 * MAX_LINE);
  expect(lines.at(-1)).toEqual({ text: '{"a":1}', isWhole: true, isEnded: true });
});
