import fc from 'fast-check';
import stringWidth from 'string-width';
import { expect, test } from 'vitest';
import { visibleText } from '../../lib/text/visible-text.ts';
import { appendLines, EMPTY_LOG, type LogText, rowParts, searchLog, wrapLog } from './log-text.ts';

const logOf = (...lines: string[]): LogText => ({ dropped: 0, lines });
const lines = fc.array(fc.string({ unit: 'grapheme-composite', maxLength: 60 }).map(visibleText), { maxLength: 5 });
const columns = fc.integer({ min: 4, max: 30 });

test('a wrapped log has every character in order, and no row is wider than the terminal', () => {
  fc.assert(
    fc.property(lines, columns, (log, width) => {
      const rows = wrapLog(logOf(...log), width);
      expect(rows.map(({ text }) => text).join('')).toBe(log.join(''));
      for (const { line, from, text } of rows) {
        expect(log[line]?.slice(from, from + text.length)).toBe(text);
        expect(stringWidth(text)).toBeLessThanOrEqual(width);
      }
    }),
  );
});

test('a log line that fits is not changed, and an empty line stays empty', () => {
  const texts = (...log: string[]) => wrapLog(logOf(...log), 12).map(({ text }) => text);
  expect(texts('epoch 1: 0.5', '', 'a b c d e f')).toEqual(['epoch 1: 0.5', '', 'a b c d e f']);
  expect(texts('loading the model from disk')).toEqual(['loading the ', 'model from d', 'isk']);
});

test('a long log keeps its last lines, and these lines keep their numbers', () => {
  const log = appendLines(appendLines(EMPTY_LOG, ['a', 'b', 'c'], 4), ['d', 'e', 'f'], 4);
  expect(log).toEqual({ dropped: 2, lines: ['c', 'd', 'e', 'f'] });
  expect(wrapLog(log, 10)[0]).toEqual({ line: 2, from: 0, text: 'c' });
  expect(searchLog(log, 'e')).toEqual([{ line: 4, from: 0, to: 1 }]);
});

test('a search finds the text literally, and ignores case unless the text has an upper-case letter', () => {
  const log = logOf('Loss 0.5 (loss)', 'no match', 'LOSS');
  expect(searchLog(log, 'loss').map(({ line, from }) => [line, from])).toEqual([
    [0, 0],
    [0, 10],
    [2, 0],
  ]);
  expect(searchLog(log, 'LOSS')).toHaveLength(1);
  expect(searchLog(log, '(loss)')).toEqual([{ line: 0, from: 9, to: 15 }]);
  expect(searchLog(log, '.')).toEqual([{ line: 0, from: 6, to: 7 }]);
  expect(searchLog(log, '')).toEqual([]);
});

test('every match of a search in a log has the text that was searched for', () => {
  const ascii = (maxLength: number) => fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength });
  fc.assert(
    fc.property(fc.array(ascii(40), { maxLength: 5 }), ascii(3), (log, text) => {
      const all = [...log, `x${text}y`];
      const matches = searchLog(logOf(...all), text);
      expect(matches.length).toBeGreaterThan(0);
      for (const { line, from, to } of matches) {
        expect(all[line]?.slice(from, to).toLowerCase()).toBe(text.toLowerCase());
      }
    }),
  );
});

test('any text can be searched for in a log', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }), (text) => {
      expect(searchLog(logOf(`x${text}y`), text).length).toBeGreaterThan(0);
    }),
  );
});

test('the parts of a row, joined, give the text of the row; the highlighted parts of all rows, joined, give the matches', () => {
  fc.assert(
    fc.property(lines, columns, fc.constantFrom('a', 'e', ' ', '0', 'ab'), (log, width, text) => {
      const source = logOf(...log, 'a long line with a few matches of ab, abab and 00');
      const matches = searchLog(source, text);
      const rows = wrapLog(source, width);
      const parts = rows.map((row) => rowParts(row, matches));
      expect(parts.map((row) => row.map((part) => part.text).join(''))).toEqual(rows.map((row) => row.text));
      const marked = parts.flat().filter(({ match }) => match !== undefined);
      expect(
        marked
          .map((part) => part.text)
          .join('')
          .toLowerCase(),
      ).toBe(text.repeat(matches.length));
    }),
  );
});

test('a match that continues in the next row is highlighted in both rows', () => {
  const log = logOf('loading the model');
  const [first, second] = wrapLog(log, 9);
  const matches = searchLog(log, 'the');
  const texts = (row = first) =>
    (row ? rowParts(row, matches) : []).map(({ text, match }) => [text, match !== undefined]);
  expect(texts()).toEqual([
    ['loading ', false],
    ['t', true],
  ]);
  expect(texts(second)).toEqual([
    ['he', true],
    [' model', false],
  ]);
});
