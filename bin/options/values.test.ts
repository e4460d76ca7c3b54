import { expect, test } from 'vitest';
import { serverFlags } from './common.ts';
import { ageOption, durationOption, parseCount } from './values.ts';

test('durations are parsed in every unit and in several units', () => {
  expect(['500ms', '90s', '15m', '1.5h', '1h30m', '2d'].map(durationOption)).toEqual([
    500, 90_000, 900_000, 5_400_000, 5_400_000, 172_800_000,
  ]);
});

test.each(['', '2', '-1s', '1 h', '1w', 's', '25d', `${'9'.repeat(400)}s`])('the duration %j is rejected', (text) => {
  expect(() => durationOption(text)).toThrow(/90s/);
});

test('an age can be longer than a timer can wait', () => {
  expect(ageOption('365d')).toBe(31_536_000_000);
  expect(() => ageOption(`${'9'.repeat(400)}d`)).toThrow(/365d/);
});

test.each(['0', '-1', '1.5', '1e3', '', '4294967296', 'x'])('the count %j is rejected', (text) => {
  expect(() => parseCount(text)).toThrow('Expected a positive integer.');
});

test('a suggested command line repeats the server or folder, quoted for a shell', () => {
  expect(serverFlags({})).toBe('');
  expect(serverFlags({ server: 'gpu1:7070' })).toBe(' --server gpu1:7070');
  expect(serverFlags({ dir: "my sweeps' folder" })).toBe(` --dir 'my sweeps'\\'' folder'`);
});
