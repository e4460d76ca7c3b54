import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromStored, numbered, toStored } from './values.ts';

const texts = fc.array(fc.constantFrom('\0', '\u0001', '\u0002', '\\u0000', '\\u0001', '\\', 'u0001', 'a', 'é', '"'));
const text = texts.map((parts) => parts.join(''));

test('every text is stored without NUL, and is read as it was written', () => {
  fc.assert(
    fc.property(text, (original) => {
      const stored = toStored(original);
      expect(stored).not.toMatch(/\0|\\u0000/);
      expect(fromStored(stored)).toBe(original);
    }),
  );
});

test('stored texts sort in the same order as the original texts', () => {
  const character = fc.constantFrom('\0', '\u0001', '\u0002', 'a', 'é');
  const plain = fc.array(character).map((parts) => parts.join(''));
  fc.assert(
    fc.property(plain, plain, (a, b) => {
      const order = (x: string, y: string) => Buffer.compare(Buffer.from(x), Buffer.from(y));
      expect(order(toStored(a), toStored(b))).toBe(order(a, b));
    }),
  );
});

test('the special characters of a name are replaced in the same way in a JSON value and in a plain text value', () => {
  const name = 'a\0b\u0001c';
  expect(JSON.parse(toStored(JSON.stringify(name)))).toBe(toStored(name));
});

test.each([
  ['select ? where a = ?', 'select $1 where a = $2'],
  ['select ?2 where a = ?1 or b = ?2', 'select $2 where a = $1 or b = $2'],
  [`select '?', "?", 'it''s ?' where a = ?`, `select '?', "?", 'it''s ?' where a = $1`],
])('in the SQL statement %s, each placeholder gets a number', (sql, expected) => {
  expect(numbered(sql)).toBe(expected);
});
