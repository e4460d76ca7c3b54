import { expect, test } from 'vitest';
import { withResolvers } from '../lib/net/within.ts';
import { midAnswers } from '../test/support/dashboard/mid-sweep.ts';
import { SampleSource } from '../test/support/dashboard/sample-source.ts';
import { deferredSource } from './deferred-source.ts';

test('calls wait until the source has been created, and are rejected if it cannot be created', async () => {
  const late = withResolvers<SampleSource>();
  const source = deferredSource(late.promise);
  const found = source.find('last');
  expect(source.differences([[1, 2], [3]])).toEqual([undefined, undefined]);
  late.resolve(new SampleSource(midAnswers));
  expect(await found).toBe('7');
  expect(await source.sweeps()).toHaveLength(2);
  expect(
    source.differences([
      [1, 1.1],
      [3, 3.1],
    ])[1]?.verdict,
  ).toBe('higher');

  const none = deferredSource(Promise.reject(new Error('no coordinator')));
  await expect(none.find('last')).rejects.toThrow('no coordinator');
});
