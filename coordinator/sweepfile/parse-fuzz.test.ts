import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { enumerateTrials } from '../grid/enumerate.ts';
import { parseSweep } from './parse.ts';
import { SweepFileError } from './problems.ts';
import { decodeSweepFile } from './read.ts';

const EXAMPLE = readFileSync(new URL('../../examples/autoencoders.yaml', import.meta.url), 'utf8');

const PIECE = fc.constantFrom(
  ...[
    '{',
    '}',
    '[',
    ']',
    ': ',
    ', ',
    '- ',
    '\n',
    '\n  ',
    '\t',
    '&a ',
    '*a',
    '!!str ',
    '? ',
    '| ',
    '> ',
    '"',
    "'",
    '#',
    '---\n',
    '%',
  ],
  ...['.nan', '.inf', '~', '1e400', '-0', '0x', 'true', '5', '0.5', '2h', '10%', '\0', '\ufffd', '\ud800', '<<'],
  ...[
    'trainer',
    'noop',
    'parameters',
    'value',
    'values',
    'min',
    'step',
    'zip',
    'exclude',
    'when',
    'if',
    'set',
    'depth',
    'seeds',
  ],
);

function parses(bytes: Uint8Array): void {
  try {
    parseSweep(decodeSweepFile(bytes, 'x'), 'x');
  } catch (error) {
    if (!(error instanceof SweepFileError)) throw error;
    expect(error.problems.length).toBeGreaterThan(0);
    for (const { line, column, message } of error.problems) {
      expect(line > 0 && column > 0).toBe(true);
      expect(message, 'a message of the schema library').not.toMatch(/^(\w+: )?(Invalid|Too (big|small)|Unrecognized)/);
    }
  }
}

test('random bytes are either parsed or rejected with a position', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), parses), { numRuns: propertyRuns(500) });
});

test('random pieces of YAML are either parsed or rejected with a position', () => {
  fc.assert(
    fc.property(fc.array(PIECE, { maxLength: 60 }), (pieces) => parses(Buffer.from(pieces.join('')))),
    { numRuns: propertyRuns(1_000) },
  );
});

test('a real file with random edits is either parsed or rejected with a position', () => {
  const edit = fc.record({ at: fc.nat(EXAMPLE.length), cut: fc.nat(20), put: fc.oneof(PIECE, fc.constant('')) });
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
      const text = edits.reduce((now, { at, cut, put }) => now.slice(0, at) + put + now.slice(at + cut), EXAMPLE);
      parses(Buffer.from(text));
    }),
    { numRuns: propertyRuns(500) },
  );
});

test('values of any shape in any key are either parsed or rejected with a position', () => {
  const key = fc.constantFrom(
    ...[
      'name',
      'metric',
      'parameters',
      'zip',
      'exclude',
      'when',
      'seeds',
      'replicates',
      'order',
      'seed',
      'retry',
      'timeout',
      'max_failed',
      'hypotheses',
    ],
  );
  fc.assert(
    fc.property(fc.dictionary(key, fc.jsonValue()), fc.dictionary(fc.string(), fc.jsonValue()), (known, other) => {
      const file = { trainer: 'noop', parameters: { a: { values: [1, 2] } }, ...known, ...other };
      parses(Buffer.from(JSON.stringify(file)));
    }),
    { numRuns: propertyRuns(500) },
  );
});

test('a number keeps its value in any notation', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }), (number) => {
      const spellings = [String(number), number.toExponential(), JSON.stringify(number)];
      const ids = spellings.map((written) => {
        const [trial] = enumerateTrials(parseSweep(`{trainer: noop, parameters: {x: {value: ${written}}}}`, 'x'));
        expect(trial?.parameters.x).toBe(number === 0 ? 0 : number);
        return trial?.trialId;
      });
      expect(new Set(ids).size).toBe(1);
    }),
  );
});
