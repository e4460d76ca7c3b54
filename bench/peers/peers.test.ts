import { expect, it, test } from 'vitest';
import { figure, killTable, overheadOf, type Run, rateOf, summaryOf, workTable } from './figures.ts';
import { cellsOf, estimateS, isMeasuredIn, killsOf, parseOptions } from './options.ts';
import { ALL_PEERS } from './peers.ts';
import { parseStat } from './process-tree.ts';
import { parseMessage } from './program.ts';

const RUN: Run = {
  peer: 'a',
  work: 'sleep',
  slots: 8,
  round: 0,
  trials: 100,
  startS: 1,
  wallS: 2,
  cpuS: 0.5,
  peakBytes: 2 ** 20,
  finished: 100,
  distinct: 100,
  isLimited: false,
  note: undefined,
};

const options = (...args: string[]) => parseOptions(args, ALL_PEERS);

test('the options select peers, kinds of work, and the numbers of slots and trials', () => {
  const chosen = options('--only', 'trawl,hyperqueue', '--work', 'noop', '--slots', '2,4', '--trials', '7');
  expect(cellsOf(chosen).map(({ peer, slots, trials }) => [peer.name, slots, trials])).toEqual([
    ['trawl', 2, 7],
    ['hyperqueue', 2, 7],
    ['trawl', 4, 7],
    ['hyperqueue', 4, 7],
  ]);
  expect(killsOf(chosen)).toEqual([]);
});

test('a peer that cannot run is not measured, and a kill that is impossible is skipped', () => {
  expect(cellsOf(options('--only', 'wandb'))).toEqual([]);
  expect(killsOf(options('--only', 'wandb,hyperqueue,optuna-sqlite')).map(({ killed }) => killed)).toEqual([
    'worker',
    'controller',
  ]);
});

test('training is measured only in the first round, unless no other work is measured', () => {
  const train = (args: string[]) => {
    const chosen = options('--only', 'trawl', ...args);
    return cellsOf(chosen).filter((cell) => cell.work === 'train' && isMeasuredIn(1, cell, chosen)).length;
  };
  expect(train([])).toBe(0);
  expect(train(['--work', 'train'])).toBe(2);
});

test('the estimated duration is less than 40 minutes for a default run, and less than 8 minutes for a quick run', () => {
  expect(estimateS(options())).toBeLessThan(40 * 60);
  expect(estimateS(options('--quick'))).toBeLessThan(8 * 60);
  expect(estimateS(options('--rounds', '4'))).toBeGreaterThan(estimateS(options()));
});

test.each([
  [['--only', 'hyperqeue'], /--only: expected one of trawl, .*: "hyperqeue"; did you mean "hyperqueue"\?/],
  [['--work', 'nop'], /--work: expected one of noop, sleep, train, kill: "nop"; did you mean "noop"\?/],
  [['--slots', '0'], /--slots: expected a whole number from 1 to 256: "0"/],
  [['--rounds', '1.5'], /--rounds: expected a whole number from 1 to 100: "1\.5"/],
  [['--trials', 'many'], /--trials: expected a whole number from 1 to 1,000,000: "many"/],
  [['--only', 'trawl,'], /--only: expected names or numbers separated by commas: "trawl,"/],
  [['--slot', '2'], /--slot.*; did you mean "slots"\?/],
])('the options %j are rejected, and the error states what was expected', (args, message) => {
  expect(() => options(...args)).toThrow(message);
});

test('a line that is not a message of a program is ignored', () => {
  expect(parseMessage('{"finished": 3}')).toEqual({ finished: 3 });
  expect(parseMessage('100%|####| 3/3')).toBeUndefined();
  expect(parseMessage('{not JSON}')).toBeUndefined();
});

test('the CPU time of a process includes the time of its ended children, and its name may contain parentheses', () => {
  const stat = '12 (ray::f (a) b) S 7 12 12 0 -1 4194560 1 2 3 4 100 50 30 20 20 0 1 0 99 0';
  expect(parseStat(stat, 'ray::f (a)\0x\0')).toEqual({
    pid: 12,
    parent: 7,
    command: 'ray::f (a) b ray::f (a) x',
    cpuS: 2,
  });
});

it('a rate counts distinct points, or all finished trials if the run reached its time limit', () => {
  expect(rateOf({ ...RUN, finished: 120 })).toBe(50);
  expect(rateOf({ ...RUN, distinct: undefined, finished: 30, isLimited: true })).toBe(15);
});

it('overhead = slots * wall time per trial - work; for training, the slots count only up to the number of cores', () => {
  expect(overheadOf(RUN, 0.1, 2)).toBeCloseTo(8 / 50 - 0.1);
  expect(overheadOf({ ...RUN, work: 'train' }, 0.01, 2)).toBeCloseTo(2 / 50 - 0.01);
});

test('a summary has the medians of the rounds, and shows duplicates and time limits', () => {
  const summary = summaryOf(
    [
      RUN,
      { ...RUN, wallS: 4, finished: 101 },
      { ...RUN, wallS: 10, distinct: undefined, finished: 50, isLimited: true, note: 'a note' },
    ],
    undefined,
    2,
  );
  expect(summary).toMatchObject({ rounds: 3, trialsPerS: 25, slowest: 5, fastest: 50, overheadMs: undefined });
  expect(summary.points).toBe('100 of 100; 100 of 100, 1 duplicate; 50 of 100 at the time limit');
  expect(summary.notes).toEqual(['a note']);
});

test('a table has a row per peer, the fastest first, and a reason instead of figures for a peer that did not run', () => {
  const fast = summaryOf([{ ...RUN, peer: 'fast', wallS: 1 }], 0.1, 2);
  const slow = summaryOf([RUN], 0.1, 2);
  const rows = workTable([slow, fast], [{ peer: 'none', work: 'sleep', slots: undefined, reason: 'why | not' }]).split(
    '\n',
  );
  expect(rows.slice(2)).toEqual([
    '| 8 | fast | 100 | 5 | 1 | -20 | 1 | 100 of 100 |',
    '| 8 | a | 50 | 5 | 1 | 60 | 1 | 100 of 100 |',
    '| all | none | - | - | - | - | - | why \\| not |',
  ]);
});

test('the table of kills states that the number of lost points is unknown if the run reached its time limit', () => {
  const run = {
    peer: 'a',
    killed: 'worker',
    trials: 60,
    finishedAtKill: 20,
    completed: 60,
    repeated: 1,
    recoveryS: 2,
  } as const;
  const rows = killTable(
    [
      { ...run, lost: 3, duplicates: 0, how: 'x' },
      { ...run, lost: undefined, duplicates: undefined, how: 'y' },
    ],
    [],
  ).split('\n');
  expect(rows.slice(2)).toEqual([
    '| a | worker, after 20 of 60 | 3 | 0 | 1 | 2 | x |',
    '| a | worker, after 20 of 60 | unknown; 60 points completed at the time limit | - | 1 | 2 | y |',
  ]);
});

test('a figure is rounded to three significant digits or to a whole number, and is a dash if it is unknown', () => {
  expect([1234.5, 99.96, 0.01234, Number.NaN, undefined].map(figure)).toEqual(['1,235', '100', '0.0123', '-', '-']);
});
