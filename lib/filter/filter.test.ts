import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BadInputError } from '../../proto/errors.ts';
import { FailureClass, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, runningTrial, sampleTrials, trialAt } from '../../test/support/dashboard/sample.ts';
import { toWire } from '../domain/parameters.ts';
import { matches } from './matches.ts';
import { namesIn, parseFilter } from './parse.ts';

/** Returns the indexes of the trials that match a filter. In these tests, trial i has psnr 10 + i. */
const found = (text: string): number[] =>
  sampleTrials()
    .map((_, i) => endedTrial(i, { psnr: 10 + i, test_loss: 0.5 - i / 10 }))
    .filter((trial) => matches(parseFilter(text), trial))
    .map(({ index }) => index);

test.each([
  ['psnr>15 and depth=3', [6, 7]],
  ['psnr >= 16', [6, 7]],
  ['latent_dim=15', [0, 1]],
  ['latent_dim = 15 and noise_std = 0.5', [1]],
  ['latent_dim=15 or latent_dim=100', [0, 1, 6, 7]],
  ['not latent_dim<100', [6, 7]],
  ['!(latent_dim<100)', [6, 7]],
  ['! latent_dim<100 and psnr<17', [6]],
  ['latent_dim=15 or latent_dim=100 and psnr>16', [0, 1, 7]],
  ['(latent_dim=15 or latent_dim=100) and psnr>16', [7]],
  ['dataset=mnist and index<2', [0, 1]],
  ['dataset=fashion-mnist', []],
  ['dataset!="mnist"', []],
  ['dataset~NIS and psnr<11', [0]],
  ['dataset!~nis', []],
  ['state=succeeded and epoch=2 and attempts=1 and psnr=17', [7]],
  ['agent=agent-1 and index==3', [3]],
  ['latent_dim=50', [4, 5]],
  ['noise_std=0.50 and latent_dim=5e1', [5]],
  ["trial='a000000000000000'", [0]],
  ['a0000', [0]],
  ['', [0, 1, 2, 3, 4, 5, 6, 7]],
  ['test_loss<-0.1', [7]],
  ['AGENT-1 AND psnr=10', [0]],
] as const)('the filter %s selects the expected trials', (text, indices) => {
  expect(found(text)).toEqual(indices);
});

test('a comparison with a missing field is false, except for != and !~, which are true', () => {
  const pending = trialAt(0);
  for (const text of ['psnr>0', 'psnr<=0', 'psnr=0', 'psnr~1', 'nonsense=1']) {
    expect(matches(parseFilter(text), pending), text).toBe(false);
  }
  expect(matches(parseFilter('psnr!=1'), pending)).toBe(true);
  expect(matches(parseFilter('nonsense!~1'), pending)).toBe(true);
});

test('NaN is not less than, greater than or equal to any number', () => {
  const trial = runningTrial(0, 1, { test_loss: Number.NaN });
  for (const text of ['test_loss<1', 'test_loss>=1', 'test_loss=1']) {
    expect(matches(parseFilter(text), trial), text).toBe(false);
  }
});

test('boolean parameters, failure classes, and names with special characters can be used in a filter', () => {
  const trial = {
    ...trialAt(0, { failure: { class: FailureClass.OOM, message: 'no room' } }),
    state: TrialState.FAILED,
    parameters: toWire({ 'lr/decay': true, state: 'blue' }),
  };
  expect(matches(parseFilter('lr/decay=true and failure=oom and room'), trial)).toBe(true);
  expect(matches(parseFilter('state=blue'), trial)).toBe(true);
});

test.each([
  ['psnr>', 'expected a value after ">" at the end'],
  ['psnr> and depth=3', 'expected a value after ">" at character 7'],
  ['(psnr>1', 'expected ")" at the end'],
  ['psnr>1)', 'expected "and" or "or" at character 7'],
  ['psnr>1 depth=3', 'expected "and" or "or" at character 8'],
  ['and', 'expected a name, a word or "(" at character 1'],
  ['=3', 'expected a name, a word or "(" at character 1'],
  ['name="open', 'the quote at character 6 is not closed'],
  ['not', 'expected a name, a word or "(" at the end'],
])('the filter %s is rejected: %s', (text, reason) => {
  expect(() => parseFilter(text)).toThrow(BadInputError);
  expect(() => parseFilter(text)).toThrow(reason);
});

test('parsing any text returns a filter or throws BadInputError, at any nesting depth', () => {
  const piece = fc.constantFrom('a', '1', '(', ')', '!', 'not', 'and', 'or', '=', '<', '~', '"', "'", ' ', '\\', 'é');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      try {
        matches(parseFilter(pieces.join('')), trialAt(0));
      } catch (error) {
        expect(error).toBeInstanceOf(BadInputError);
      }
    }),
  );
  expect(() => parseFilter('('.repeat(100_000))).toThrow(BadInputError);
});

test('namesIn returns the field names of all comparisons, each once, and omits words outside comparisons', () => {
  expect(namesIn(parseFilter('psnr>1 and (psnr<9 or not depth=3) and mnist'))).toEqual(['psnr', 'depth']);
});

test('an offered trial matches state=pending', () => {
  const offered = trialAt(0, { state: TrialState.OFFERED });
  expect(matches(parseFilter('state=pending'), offered)).toBe(true);
  expect(matches(parseFilter('pending'), offered)).toBe(true);
  expect(matches(parseFilter('state=running'), offered)).toBe(false);
});
