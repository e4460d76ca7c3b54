import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvLine, withoutFormula } from './text.ts';

test('fields with commas, quotes and line breaks are quoted, and a null field is empty', () => {
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

test('exported text is read back unchanged, except that formulas are neutralized', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\r', '\n', '=', '数') });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (fields) => {
      expect(parseLine(csvLine(fields))).toEqual(fields.map(withoutFormula));
    }),
  );
});

test.each([
  '=1+1',
  '+1+1',
  '-1+1',
  '@SUM(A1)',
  '\t=1',
  '\r=1',
  '\n=1',
  ' =1',
  '=HYPERLINK("http://x";"y")',
  '＝1',
  '-',
  '--1',
])('the text %j is neutralized with an apostrophe', (text) => {
  expect(parseLine(csvLine(['a', text]))).toEqual(['a', `'${text}`]);
});

test.each(['-1', '+1.5', '-1e-7', '-.5', 'a=b', 'a\t=', '1-2', ''])(
  'the text %j is not a formula and is exported unchanged',
  (text) => {
    expect(withoutFormula(text)).toBe(text);
  },
);

test('numbers are exported unchanged', () => {
  fc.assert(
    fc.property(fc.oneof(fc.double({ noNaN: true }), fc.integer()), (value) => {
      expect(csvLine([value])).toBe(`${value}\r\n`);
    }),
  );
});
