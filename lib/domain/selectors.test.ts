import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseTrialSelector, trialSelector } from './selectors.ts';

test.each([
  ['3f2a91bc', undefined, '3f2a91bc'],
  ['3/3f2a91bc', '3', '3f2a91bc'],
  ['last/3f2a', 'last', '3f2a'],
  ['vision/resnet/3f2a', 'vision/resnet', '3f2a'],
  ['/3f2a', '', '3f2a'],
  ['3/', '3', ''],
])('the selector %s names sweep %s and trial %s', (selector, sweep, trial) => {
  expect(parseTrialSelector(selector)).toEqual({ sweep, trial });
});

test('a complete selector names the sweep and trial from which it was formatted', () => {
  fc.assert(
    fc.property(fc.string(), fc.stringMatching(/^[0-9a-f]{1,16}$/), (sweep, trial) => {
      expect(parseTrialSelector(trialSelector(sweep, trial))).toEqual({ sweep, trial });
    }),
  );
});
