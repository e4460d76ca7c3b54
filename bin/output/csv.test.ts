import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csvLine } from './csv.ts';
import type { TrialJson } from './trial-json.ts';
import { trialsCsv } from './trials-csv.ts';

test('fields with commas, quotes and line breaks are quoted, null is empty', () => {
  expect(csvLine(['a', 'b,c', 'd"e', 'f\ng', 1e-7, true, null])).toBe('a,"b,c","d""e","f\ng",1e-7,true,\r\n');
});

/** RFC 4180, section 2, read back: a field, and the comma or the end after it. */
function parseLine(line: string): string[] {
  const fields = line.slice(0, -2).matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(?:,|$)/g);
  const values: string[] = [];
  for (const [whole, quoted, plain] of fields) {
    values.push(quoted?.replaceAll('""', '"') ?? plain ?? '');
    if (!whole.endsWith(',')) break;
  }
  return values;
}

test('whatever the text, it reads back as it was', () => {
  const text = fc.string({ unit: fc.constantFrom('a', ' ', ',', '"', '\r', '\n', '=', '数') });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), (fields) => {
      expect(parseLine(csvLine(fields))).toEqual(fields);
    }),
  );
});

const trial = (change: Partial<TrialJson>): TrialJson => ({
  trial: 't',
  config: 'c',
  sweep: '1',
  index: 0,
  state: 'succeeded',
  rank: null,
  parameters: {},
  seed: 0,
  epoch: 1,
  metrics: {},
  attempts: 1,
  agent: null,
  backend: null,
  failure: null,
  started_at: null,
  ended_at: null,
  seconds: null,
  ...change,
});

test('a parameter or metric whose name is taken is written with its kind', () => {
  const [header, row] = trialsCsv([trial({ parameters: { state: 'solid', x: 1 }, metrics: { x: 2 } })]);
  const cells = Object.fromEntries(
    (header ?? '')
      .trim()
      .split(',')
      .map((name, i) => [name, (row ?? '').trim().split(',')[i]]),
  );
  expect(cells).toMatchObject({ state: 'succeeded', 'parameter.state': 'solid', x: '1', 'metric.x': '2' });
});

test('every trial has every column, empty where it has no value', () => {
  const lines = [...trialsCsv([trial({ parameters: { a: 1 } }), trial({ parameters: { b: 2 }, metrics: { m: 3 } })])];
  expect(lines.map((line) => line.split(',').slice(7, 10))).toEqual([
    ['a', 'b', 'm'],
    ['1', '', ''],
    ['', '2', '3'],
  ]);
});
