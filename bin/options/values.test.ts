import { afterEach, expect, test, vi } from 'vitest';
import { EXIT } from '../../proto/errors.ts';
import { runTrawl } from '../../test/support/cli/run-trawl.ts';
import { serverFlags } from './common.ts';
import {
  ageOption,
  artifactsLocation,
  countUpTo,
  durationFrom,
  durationOption,
  parseCount,
  pathOption,
  storeLocation,
} from './values.ts';

afterEach(() => vi.unstubAllEnvs());

test('the error about an invalid location names the option, or the environment variable if the option is not given', () => {
  expect(() => storeLocation('mysql://x')).toThrow(/^--store: unknown scheme/);
  expect(() => artifactsLocation('x')).toThrow(/^--artifacts "x": it does not begin/);
  vi.stubEnv('TRAWL_STORE', 'mysql://x');
  vi.stubEnv('TRAWL_ARTIFACT_STORE', 'x');
  expect(() => storeLocation(undefined)).toThrow(/^TRAWL_STORE: unknown scheme/);
  expect(() => artifactsLocation(undefined)).toThrow(/^TRAWL_ARTIFACT_STORE "x": it does not begin/);
  expect(storeLocation('postgres://localhost/x')).toBe('postgres://localhost/x');
});

test.each([
  [['--to-store', 'postgres://u@db/x'], '--to-store: the URL names another machine'],
  [['--store', 'x', '--to-dir', 'y'], '--store: invalid URL'],
  [
    ['--to-dir', 'y', '--to-artifacts', 's3://a b/'],
    '--to-artifacts "s3://a b/": "a b" is not a valid name of a bucket',
  ],
])('the error of trawl migrate with %j names the option', async (args, message) => {
  const { stderr, exitCode } = await runTrawl('migrate', '--dir', '.', ...args);
  expect(stderr).toContain(`trawl: ${message}`);
  expect(exitCode).toBe(EXIT.badInput);
});

test('a duration may have any unit, or several units', () => {
  expect(['500ms', '90s', '15m', '1.5h', '1h30m', '2d'].map(durationOption)).toEqual([
    500, 90_000, 900_000, 5_400_000, 5_400_000, 172_800_000,
  ]);
});

test.each(['', '2', '-1s', '1 h', '1w', 's', '25d', `${'9'.repeat(400)}s`])('the duration %j is rejected', (text) => {
  expect(() => durationOption(text)).toThrow(/90s/);
});

test('an option for an age accepts a duration that is longer than the longest delay of a timer', () => {
  expect(ageOption('365d')).toBe(31_536_000_000);
  expect(() => ageOption(`${'9'.repeat(400)}d`)).toThrow(/365d/);
});

test.each(['0', '-1', '1.5', '1e3', '', '4294967296', 'x'])('the count %j is rejected', (text) => {
  expect(() => parseCount(text)).toThrow('Expected a positive integer.');
});

test.each(['0', '-1', '1.5', '1e3', '4097', '1000000000', 'NaN', 'Infinity', '0x10', ' 1', ''])(
  'the count %j is rejected, and the message states the limit',
  (text) => {
    expect(() => countUpTo(4096)(text)).toThrow('Expected an integer from 1 to 4096.');
  },
);

test('counts up to the maximum and durations from the minimum to the maximum are accepted', () => {
  expect(['1', '007', '4096'].map(countUpTo(4096))).toEqual([1, 7, 4096]);
  expect(['1s', '24d'].map(durationFrom(1_000, '1s'))).toEqual([1_000, 24 * 86_400_000]);
  for (const text of ['0s', '999ms']) expect(() => durationFrom(1_000, '1s')(text)).toThrow('Expected at least 1s.');
  expect(() => durationFrom(1_000, '1s')('25d')).toThrow(/up to 24d/);
});

test('an empty path is rejected', () => {
  expect(() => pathOption('')).toThrow('Expected a path.');
  expect(pathOption('runs/a b')).toBe('runs/a b');
});

test('a suggested command line repeats the server or folder, quoted for a shell', () => {
  expect(serverFlags({})).toBe('');
  expect(serverFlags({ server: 'gpu1:7070' })).toBe(' --server gpu1:7070');
  expect(serverFlags({ dir: "my sweeps' folder" })).toBe(` --dir 'my sweeps'\\'' folder'`);
});
