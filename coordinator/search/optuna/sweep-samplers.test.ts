import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { testFolder } from '../../../test/support/folder.ts';
import { until } from '../../../test/support/until.ts';
import type { PastSuggestion } from '../searcher.ts';
import type { StudySettings } from './messages.ts';
import { startSampler, startScript } from './process.ts';
import { Samplers, type SamplersOptions } from './sweep-samplers.ts';

const SETTINGS: StudySettings = {
  sampler: 'TPESampler',
  options: {},
  python: undefined,
  seed: 1,
  goals: ['minimize'],
  space: { parameters: [{ name: 'x', kind: 'float', low: 0, high: 1, log: false }], rules: [] },
};

/** A sampler that records its requests. The value that it suggests for `x` is the number of trials in the study. */
const ECHO = `
import json, os, sys
requests, answers = os.fdopen(3), os.fdopen(4, "w")
trials = 0
for line in requests:
    with open(RECORD, "a") as file:
        file.write(line)
    request = json.loads(line)
    trials = (0 if "settings" in request else trials) + len(request["add"])
    answers.write(json.dumps({"number": request["number"], "values": {"x": trials}, "attributes": "a"}) + "\\n")
    answers.flush()
    trials += 1
`;

const trial = (x: number, value?: number): PastSuggestion => ({
  record: { values: { x }, attributes: '' },
  outcome: value === undefined ? { kind: 'running' } : { kind: 'ended', values: [value] },
});

/** Opens the sampler of one sweep. @param script the Python program; default: sampler.py */
function opened(script?: string, options: Partial<SamplersOptions> = {}, settings: Partial<StudySettings> = {}) {
  const folder = testFolder();
  const file = join(folder, 'sampler.py');
  const record = join(folder, 'requests');
  if (script !== undefined) writeFileSync(file, `RECORD = ${JSON.stringify(record)}\n${script}`);
  const seen = { ready: 0, problems: [] as string[], failures: [] as number[] };
  const samplers = new Samplers({
    start: script === undefined ? startSampler : (...args) => startScript(file, ...args),
    python: 'python3',
    allowsOwnCode: false,
    firstRetryMs: 20,
    onReady: () => {
      seen.ready += 1;
    },
    onProblem(_, problem, failures) {
      if (problem !== '') seen.problems.push(problem);
      seen.failures.push(failures);
    },
    ...options,
  });
  onTestFinished(() => samplers.closeAll());
  const sampler = samplers.open('1', { ...SETTINGS, ...settings });
  const requests = () => (existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : []);
  return { samplers, sampler, seen, requests: () => requests().map((line) => JSON.parse(line)) };
}

describe('a process that answers', () => {
  test('receives the whole study once, and then only the changes', async () => {
    const { sampler, requests, seen } = opened(ECHO);
    const [first, second] = [trial(1, 5), trial(2)];
    sampler.request({ number: 0, trials: [first, second] });
    expect(sampler.isBusy).toBe(true);
    await until('the first answer', () => sampler.answer?.number === 0);
    expect(sampler.answer?.record).toEqual({ values: { x: 2 }, attributes: 'a' });
    const record = sampler.answer?.record ?? first.record;
    const ended = { ...second, outcome: { kind: 'ended', values: [undefined] } } as const;
    sampler.request({ number: 1, trials: [first, ended, { record, outcome: { kind: 'running' } }] });
    await until('the second answer', () => sampler.answer?.number === 1);
    expect(requests()).toMatchObject([
      {
        settings: { sampler: 'TPESampler', seed: 1, directions: ['minimize'] },
        add: [{ values: { x: 1 }, state: 'ended', objectives: [5] }, { state: 'running' }],
        end: [],
      },
      { add: [], end: [[1, 'ended', null]], number: 1 },
    ]);
    expect(requests()[1]).not.toHaveProperty('settings');
    expect(seen.problems).toEqual([]);
  });

  test('receives the whole study again if a result changes', async () => {
    const { sampler, requests } = opened(ECHO);
    const first = trial(1, 5);
    sampler.request({ number: 0, trials: [first] });
    await until('the first answer', () => sampler.answer?.number === 0);
    sampler.request({ number: 1, trials: [{ ...first, outcome: { kind: 'running' } }] });
    await until('the second answer', () => sampler.answer?.number === 1);
    expect(requests()[1]).toMatchObject({ settings: { seed: 1 }, add: [{ state: 'running' }] });
  });

  test('can also write to stdout and stderr', async () => {
    const noise = 'import sys\nprint("{}" * 200000)\nsys.stderr.write("noise\\n" * 200000)\n';
    const { sampler, seen } = opened(noise + ECHO);
    sampler.request({ number: 0, trials: [] });
    await until('the answer', () => sampler.answer?.number === 0);
    expect(seen.problems).toEqual([]);
  });
});

describe('a process that fails', () => {
  const HEAD = 'import json, os, sys, time\nrequests, answers = os.fdopen(3), os.fdopen(4, "w")\nrequests.readline()\n';
  test.each([
    ['exits', 'sys.exit("no memory left")', 'the Python process of the sampler exited with code 1: no memory left'],
    ['is killed', 'os.kill(os.getpid(), 9)', 'the Python process of the sampler was killed by SIGKILL'],
    [
      'sends text',
      'answers.write("hello\\n")\nanswers.flush()\ntime.sleep(60)',
      'the Python process of the sampler sent a line that is not an answer',
    ],
    [
      'sends a value that is not a number',
      'answers.write(json.dumps({"number": 0, "values": {"x": "a"}, "attributes": ""}) + "\\n")\nanswers.flush()\ntime.sleep(60)',
      'the Python process of the sampler sent a line that is not an answer',
    ],
    [
      'answers another request',
      'answers.write(json.dumps({"number": 7, "values": {}, "attributes": ""}) + "\\n")\nanswers.flush()\ntime.sleep(60)',
      'the Python process of the sampler sent an unexpected answer',
    ],
    [
      'sends an endless line',
      'answers.write("a" * 17000000)\nanswers.flush()\ntime.sleep(60)',
      'the Python process of the sampler sent a line of more than 16,777,216 characters',
    ],
    ['hangs', 'time.sleep(60)', 'the sampler has not answered for 5 s'],
  ])(
    'a process that %s is replaced after a delay, and the reason is shown until the next answer',
    async (_, end, problem) => {
      // The first process fails, and its successor answers.
      const script = `import os\nif os.path.exists(RECORD + ".failed"):\n  exec(${JSON.stringify(ECHO)})\nelse:\n  open(RECORD + ".failed", "w").close()\n  exec(${JSON.stringify(HEAD + end)})\n`;
      const { sampler, seen } = opened(script, end === 'time.sleep(60)' ? { answerTimeoutMs: 5_000 } : {});
      sampler.request({ number: 0, trials: [trial(1, 5)] });
      await until('the failure', () => seen.problems.length > 0);
      expect(sampler.problem).toMatch(/; a new process starts in \S+$/);
      expect(sampler.problem?.startsWith(`${problem}; `)).toBe(true);
      expect(seen.problems).toEqual([problem]);
      await until('the end of the delay', () => !sampler.isBusy);
      sampler.request({ number: 0, trials: [trial(1, 5)] });
      await until('the answer', () => sampler.answer?.number === 0);
      expect(sampler.problem).toBeUndefined();
      expect(seen.failures).toEqual([1, 0]);
    },
  );

  test('an interpreter that does not exist is reported with a remedy', async () => {
    const { sampler, seen } = opened(undefined, { python: 'python-of-nobody' });
    sampler.request({ number: 0, trials: [] });
    await until('the failure', () => seen.problems.length > 0);
    expect(seen.problems[0]).toBe(
      'there is no program "python-of-nobody" to run the sampler; install Python 3.9 or newer, or start the coordinator with --python',
    );
  });
});

describe('code of the author of the sweep file', () => {
  test.each([{ sampler: 'mine:Sampler' }, { python: '/tmp/python' }])(
    'is not run unless the coordinator permits it: %o',
    (settings) => {
      const { sampler, samplers } = opened(ECHO, {}, settings);
      sampler.request({ number: 0, trials: [] });
      expect(sampler.hasProcess).toBe(false);
      expect(sampler.problem).toContain('which this coordinator does not permit');
      expect(samplers.makeRoom()).toBe(true);
    },
  );
});

test('if a process starts slowly, the time since its start is shown', async () => {
  const script = `import os, time\ntime.sleep(6)\n${ECHO.replace('import json, os, sys', 'import json, os, sys, time')}`;
  const { sampler } = opened(script);
  sampler.request({ number: 0, trials: [] });
  expect(sampler.problem).toBeUndefined();
  await until('the slow start is shown', () => sampler.problem !== undefined);
  expect(sampler.problem).toMatch(
    /^the Python process of the sampler TPESampler started [\d.]+s ago and has not answered/,
  );
  await until('the answer', () => sampler.answer?.number === 0);
  expect(sampler.problem).toBeUndefined();
});

test('at most four processes run, and the process of a fifth sweep replaces an idle process', async () => {
  const { samplers, seen } = opened(ECHO);
  const all = ['1', '2', '3', '4', '5'].map((id) => samplers.open(id, SETTINGS));
  for (const sampler of all) sampler.request({ number: 0, trials: [] });
  expect(all.map(({ hasProcess }) => hasProcess)).toEqual([true, true, true, true, false]);
  expect(all[4]?.problem).toBe('the samplers of 4 other sweeps are busy');
  await until('the answers', () => all.slice(0, 4).every(({ answer }) => answer !== undefined));
  expect(all[4]?.isBusy).toBe(false);
  expect(seen.ready).toBeGreaterThan(4);
  all[4]?.request({ number: 0, trials: [] });
  await until('the fifth answer', () => all[4]?.answer !== undefined);
  expect(all.filter(({ hasProcess }) => hasProcess)).toHaveLength(4);
});

test('a process ends when its sweep is closed, and is not replaced', async () => {
  const pid = `${ECHO.replace('import json, os, sys', 'import json, os, sys\nopen(RECORD + ".pid", "w").write(str(os.getpid()))')}`;
  const { samplers, sampler, seen } = opened(pid);
  sampler.request({ number: 0, trials: [] });
  await until('the answer', () => sampler.answer?.number === 0);
  samplers.close('1');
  expect(sampler.hasProcess).toBe(false);
  sampler.request({ number: 1, trials: [] });
  expect(sampler.hasProcess).toBe(false);
  expect(seen.problems).toEqual([]);
});
