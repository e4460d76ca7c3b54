import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { testFolder } from '../../test/support/folder.ts';
import { exitCodeOf, markdownOf, summaryLines, writeReport } from './report.ts';
import { CouldNotRun, runSteps, type Step, type StepReport } from './step-runner.ts';

const step = (name: string, run: Step['run'], limitS = 10): Step => ({
  ...{ name, title: `Step ${name}`, limitS, columns: ['pack', 'rate'], run },
});

const states = (reports: readonly StepReport[]) => reports.map(({ name, state, reason }) => [name, state, reason]);

test('a step that fails or could not run does not prevent later steps from running', async () => {
  const reports = await runSteps(
    [
      step('fails', async () => {
        throw new Error('the rate is 0');
      }),
      step('lacks', async () => {
        throw new CouldNotRun('no GPU found');
      }),
      step('passes', async () => '4 packs'),
    ],
    60,
    () => {},
  );
  expect(states(reports)).toEqual([
    ['fails', 'FAIL', 'the rate is 0'],
    ['lacks', 'could not run', 'no GPU found'],
    ['passes', 'PASS', '4 packs'],
  ]);
  expect(exitCodeOf(reports)).toBe(1);
  expect(exitCodeOf(reports.slice(1))).toBe(3);
  expect(exitCodeOf(reports.slice(2))).toBe(0);
  expect(summaryLines(reports)).toEqual([
    'fails   FAIL: the rate is 0',
    'lacks   could not run: no GPU found',
    'passes  PASS: 4 packs',
  ]);
});

test('a step that exceeds its limit is aborted and fails, and its findings so far are kept', async () => {
  let stopped = false;
  const slow = step(
    'slow',
    async ({ row, line, signal }) => {
      line('with: a card');
      row(1, 250);
      await sleep(60_000, undefined, { signal }).catch(() => {
        stopped = true;
      });
      row(4, 1000);
      return 'too late';
    },
    0.2,
  );
  const reports = await runSteps([slow, step('next', async () => 'fine')], 60, () => {});
  expect(stopped).toBe(true);
  expect(reports[0]).toMatchObject({
    state: 'FAIL',
    reason: 'exceeded its time limit of 0.2 s',
    lines: ['with: a card'],
  });
  expect(reports[0]?.table?.rows[0]).toEqual([1, 250]);
  expect(reports[1]?.state).toBe('PASS');
});

test('a step that has not started when the time limit of all steps expires is reported as `could not run`', async () => {
  let nowMs = 0;
  const first = step('first', async ({ signal }) => {
    await once(signal, 'abort');
    nowMs = 100;
    return 'too late';
  });
  const reports = await runSteps(
    [first, step('second', async () => 'done')],
    0.1,
    () => {},
    () => nowMs,
  );
  expect(states(reports)).toEqual([
    ['first', 'FAIL', 'exceeded its time limit of 0.1 s'],
    ['second', 'could not run', 'the time limit of 0.1 s for all steps had expired'],
  ]);
});

test('a run that is cut off leaves complete files with the findings so far', async () => {
  const folder = join(testFolder(), 'out');
  const seen: string[] = [];
  await runSteps(
    [
      step('speed', async ({ row }) => {
        row(4, 'a|b');
        return 'measured';
      }),
      step('sweep', async () => 'done'),
    ],
    60,
    (steps) => {
      writeReport(folder, { command: 'bench:gpu -- --all', started: '2026-11-30T12:00:00.000Z', steps });
      seen.push(readFileSync(join(folder, 'results.md'), 'utf8'));
      expect(JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')).steps).toHaveLength(2);
    },
  );
  const during = seen.find((text) => text.includes('a\\|b'));
  expect(during).toContain('| Step speed | running |');
  expect(during).toContain('| Step sweep | not started |');
  expect(during).toContain('| pack | rate |\n| --- | --- |\n| 4 | a\\|b |');
  expect(seen.at(-1)).toContain('| Step sweep | PASS |');
  expect(readdirSync(folder).sort()).toEqual(['results.json', 'results.md']);
  expect(existsSync(join(folder, '.results.md'))).toBe(false);
});

test('a reason of several lines takes one line of the summary', () => {
  const report: StepReport = {
    ...{ name: 'install', title: 'Install', limitS: 60, state: 'FAIL', reason: 'no library\nTried: ...' },
    ...{ seconds: 1, lines: [], table: undefined },
  };
  expect(summaryLines([report])).toEqual(['install  FAIL: no library']);
  expect(markdownOf({ command: 'c', started: 's', steps: [report] })).toContain('| 60 s | no library |');
});
