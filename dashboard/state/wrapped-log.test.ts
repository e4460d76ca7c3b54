import fc from 'fast-check';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { visibleText } from '../../lib/text/visible-text.ts';
import { wrappedLog } from './wrapped-log.ts';

test('a wrapped log has every character in order, and no line wider than the terminal', () => {
  const line = fc.string({ unit: 'grapheme-composite', maxLength: 60 }).map(visibleText);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), fc.integer({ min: 4, max: 30 }), (log, columns) => {
      const lines = wrappedLog(log, columns);
      expect(lines.join('')).toBe(log.join(''));
      for (const one of lines) expect(stringWidth(one)).toBeLessThanOrEqual(columns);
    }),
  );
});

test('a line that fits stays as it is, and an empty line stays empty', () => {
  expect(wrappedLog(['epoch 1: 0.5', '', 'a b c d e f'], 12)).toEqual(['epoch 1: 0.5', '', 'a b c d e f']);
  expect(wrappedLog(['loading the model from disk'], 12)).toEqual(['loading the ', 'model from d', 'isk']);
});
