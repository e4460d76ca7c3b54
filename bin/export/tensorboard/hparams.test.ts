import { expect, test } from 'vitest';
import type { ParameterValue } from '../../../proto/trainers.ts';
import { domainOf, type HParamDomain, MAX_LISTED } from './hparams.ts';

const rising = Array.from({ length: MAX_LISTED + 1 }, (_, i) => i / 2);

test.each<[string, readonly ParameterValue[], HParamDomain]>([
  ['few numbers', [5, 3, 11], { type: 'number', listed: [3, 5, 11] }],
  ['many numbers', rising, { type: 'number', min: 0, max: MAX_LISTED / 2 }],
  ['flags', [true, false], { type: 'flag', listed: [false, true] }],
  ['texts', ['b', 'a'], { type: 'text', listed: ['a', 'b'] }],
  ['many texts', rising.map((n) => `n${n}`), { type: 'text' }],
  ['values of several types', [1, 'auto', true], { type: 'text', listed: ['1', 'auto', 'true'] }],
])('a parameter with %s has the right domain in TensorBoard', (_, values, domain) => {
  expect(domainOf(new Set(values))).toEqual(domain);
});
