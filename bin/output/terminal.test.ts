import { expect, test } from 'vitest';
import { Goal, SweepState, TrialState } from '../../proto/gen/trawl/v1/types.ts';
import { endedTrial, runningTrial, sampleSweep, sampleTrials } from '../../test/support/dashboard/sample.ts';
import { closingRanking } from './closing-ranking.ts';
import { renderTable } from './table.ts';
import { terminalOf } from './terminal.ts';

const ended = { state: SweepState.FINISHED };
const pipe = { width: undefined, color: false };

const tty = { isTTY: true, columns: 100 };
const UTF8 = { LANG: 'en_GB.UTF-8' };

test('a pipe has neither width nor color', () => {
  expect(terminalOf({ columns: 100 }, { color: true }, {})).toEqual({ width: undefined, color: false, ascii: false });
});

test('--no-color, NO_COLOR and a dumb terminal disable color', () => {
  const color = { color: true };
  expect(terminalOf(tty, color, UTF8)).toEqual({ width: 100, color: true, ascii: false });
  expect(terminalOf(tty, color, { NO_COLOR: '' }).color).toBe(true);
  expect(terminalOf(tty, { color: false }, {}).color).toBe(false);
  expect(terminalOf(tty, color, { NO_COLOR: '1' }).color).toBe(false);
  expect(terminalOf(tty, color, { TERM: 'dumb' }).color).toBe(false);
});

test('with --ascii, or on a terminal that does not show UTF-8, only ASCII is printed', () => {
  const ascii = (stream: typeof tty | object, environment: NodeJS.ProcessEnv, option?: true) =>
    terminalOf(stream, { color: true, ...(option && { ascii: option }) }, environment).ascii;
  expect(ascii(tty, UTF8)).toBe(false);
  expect(ascii(tty, UTF8, true)).toBe(true);
  expect(ascii(tty, { ...UTF8, LC_ALL: 'C' })).toBe(true);
  expect(ascii(tty, { ...UTF8, TERM: 'linux' })).toBe(true);
  expect(ascii({}, {})).toBe(false);
  expect(ascii({}, {}, true)).toBe(true);
});

test('a table in ASCII is aligned, and has only ASCII characters', () => {
  const columns = [
    { header: 'psnr', numeric: true, cell: () => '14.0 ± 0.1' },
    { header: 'name', elide: 'middle' as const, cell: () => 'café-of-the-long-name', style: () => 'dim' as const },
  ];
  const table = renderTable(columns, [0], { width: 22, color: false, ascii: true });
  expect(table).toBe('        psnr  name\n14.0 +/- 0.1  cafe~ame\n');
});

test('a table that does not fit the terminal reports how many columns are hidden', () => {
  const columns = ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc'].map((header) => ({
    header,
    numeric: true,
    cell: () => '1',
  }));
  expect(renderTable(columns, [0], { width: 25, color: false })).toMatch(/\n1 column hidden \(use -o wide\)\n$/);
  expect(renderTable(columns, [0], { width: undefined, color: false })).not.toContain('hidden');
});

test('styles apply to cells only if the terminal has color', () => {
  const columns = [{ header: 'state', cell: () => 'failed', style: () => 'yellow' as const }];
  expect(renderTable(columns, [0], { width: 80, color: true })).toContain('\u001b[33mfailed\u001b[39m');
  expect(renderTable(columns, [0], { width: 80, color: false })).toBe('state\nfailed\n');
});

test('the final output has two rankings: by the metric of the sweep, and by psnr', () => {
  const trials = [endedTrial(0, { test_loss: 0.2, psnr: 14 }), endedTrial(2, { test_loss: 0.1, psnr: 12 })];
  expect(closingRanking(sampleSweep(ended), trials, pipe)).toBe(
    [
      'By test_loss, lowest first:',
      'rank  trial     latent_dim  test_loss    psnr',
      '   1  b0000000          30    0.10000  12.000',
      '   2  a0000000          15    0.20000  14.000',
      '',
      'By psnr, highest first:',
      'rank  trial     latent_dim    psnr  test_loss',
      '   1  a0000000          15  14.000    0.20000',
      '   2  b0000000          30  12.000    0.10000',
      '',
    ].join('\n'),
  );
});

test('with replicates, the closing ranking lists configs by their mean, and shows how many replicates failed', () => {
  const replicate = (seed: number, test_loss: number) => ({ ...endedTrial(0, { test_loss }), id: `s${seed}`, seed });
  const failed = { ...replicate(2, 0.01), state: TrialState.FAILED };
  const trials = [replicate(0, 0.2), replicate(1, 0.3), failed, endedTrial(2, { test_loss: 0.1 })];
  expect(closingRanking(sampleSweep({ ...ended, replicates: 3 }), trials, pipe)).toBe(
    [
      'By test_loss, lowest first, mean ± standard deviation over seeds:',
      'rank  config  latent_dim        test_loss  replicates',
      '   1  c10             30          0.10000  1 succeeded',
      '   2  c00             15  0.25000 ± 0.071  2 succeeded, 1 failed',
      '',
    ].join('\n'),
  );
});

test('the final output of a sweep with several objectives has one ranking by Pareto front', () => {
  const objectives = [
    { name: 'test_loss', goal: Goal.MINIMIZE },
    { name: 'psnr', goal: Goal.MAXIMIZE },
  ];
  const sweep = sampleSweep({ ...ended, objectives });
  const trials = [endedTrial(0, { test_loss: 0.2, psnr: 11 }), endedTrial(2, { test_loss: 0.1, psnr: 12 })];
  expect(closingRanking(sweep, trials, pipe)).toBe(
    [
      'By Pareto front of test_loss, psnr, then by hypervolume contribution:',
      'rank  front  trial     latent_dim  test_loss    psnr',
      '   1      1  b0000000          30    0.10000  12.000',
      '   2      2  a0000000          15    0.20000  11.000',
      '',
    ].join('\n'),
  );
  expect(closingRanking(sweep, [], pipe)).toBe('No trial reported all of test_loss, psnr.\n');
});

test('a ranking without values reports that no trial has the metric', () => {
  expect(closingRanking(sampleSweep(ended), [], pipe)).toBe('By test_loss: no trial reported it.\n');
  expect(closingRanking(sampleSweep(), sampleTrials(), pipe)).toBe('By test_loss: no trial reported it yet.\n');
  const metric = { name: '' };
  expect(closingRanking(sampleSweep({ metric }), sampleTrials(), pipe)).toBe('No trial reported a metric yet.\n');
});

test('the final output of an interrupted sweep ranks the trials so far, including running trials', () => {
  const trials = [
    endedTrial(0, { test_loss: 0.2 }),
    runningTrial(2, 1, { test_loss: 0.1 }),
    ...sampleTrials().slice(4),
  ];
  expect(closingRanking(sampleSweep(), trials, pipe)).toBe(
    [
      'By test_loss so far, lowest first:',
      'rank  trial     state      latent_dim  noise_std  test_loss',
      '   1  b0000000  running            30          0    0.10000',
      '   2  a0000000  succeeded          15          0    0.20000',
      '',
    ].join('\n'),
  );
});

test('the final output of an interrupted sweep with replicates names the best trial so far', () => {
  const replicate = (seed: number, test_loss: number) => ({ ...endedTrial(0, { test_loss }), id: `s${seed}`, seed });
  const running = { ...runningTrial(0, 1, { test_loss: 0.05 }), id: 's2', seed: 2 };
  const trials = [replicate(0, 0.2), replicate(1, 0.3), running, endedTrial(2, { test_loss: 0.1 })];
  expect(closingRanking(sampleSweep({ replicates: 3 }), trials, pipe)).toBe(
    [
      'By test_loss so far, lowest first, mean ± standard deviation over seeds:',
      'rank  config  latent_dim        test_loss  replicates',
      '   1  c10             30          0.10000  1 succeeded',
      '   2  c00             15  0.25000 ± 0.071  1 running, 2 succeeded',
      'Best trial so far: s2 (running, seed 2), test_loss 0.050000',
      '',
    ].join('\n'),
  );
});
