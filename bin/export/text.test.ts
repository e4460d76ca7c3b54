import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvLine } from './text.ts';

test('fields with commas, quotes and line breaks are quoted, null is empty', () => {
  expect(csvLine(['a', 'b,c', 'd"e', 'f\ng', 1e-7, true, null])).toBe('a,"b,c","d""e","f\ng",1e-7,true,\r\n');
});

function parseLine(line: string): string[] {
  const fields = line.slice(0, -2).matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?:,|$)/g);
  const values: string[] = [];
  for (const [whole, quoted, plain] of fields) {
    values.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (!whole.endsWith(',')) break;
  }
  return values;
}

test('any text is unchanged when read back', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\r', '\n', '=', '数') });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (fields) => {
      expect(parseLine(csvLine(fields))).toEqual(fields);
    }),
  );
});
