import { expect, test } from 'vitest';
import { Config } from '../../proto/gen/trawl/v1/types.ts';
import { chooseConfigs } from './choose-configs.ts';

const config = (id: string, rank: number, ...trialIds: string[]) => Config.fromPartial({ id, rank, trialIds });
const configs = [
  config('aa1', 1, 't1', 't2'),
  config('ab2', 2, 'u1'),
  config('cc3', 3),
  config('dd4', 4),
  config('ee5', 0),
];
const chosen = (...selectors: string[]) => chooseConfigs(configs, selectors).map(({ id }) => id);

test('configs are named by the start of their id, or of one of their trials, and come in that order', () => {
  expect(chosen('cc', 'aa1')).toEqual(['cc3', 'aa1']);
  expect(chosen('u', 't2', 't1')).toEqual(['ab2', 'aa1']);
});

test('without names they are the three best that have a value', () => {
  expect(chosen()).toEqual(['aa1', 'ab2', 'cc3']);
});

test('what fits none, or several, is refused by name', () => {
  expect(() => chosen('x', 'aa')).toThrow('no config and no trial "x"');
  expect(() => chosen('', 'aa')).toThrow('no config and no trial ""');
  expect(() => chosen('a', 'cc')).toThrow('"a" fits 2 configs: aa1, ab2');
});

test('two different ones are needed', () => {
  expect(() => chosen('aa')).toThrow('two different configs');
  expect(() => chosen('t1', 't2')).toThrow('two different configs');
  expect(() => chooseConfigs([config('ee5', 0)], [])).toThrow('fewer than two configs have a value');
});
