/** Tests searches with the real Optuna, which is installed in a Python environment. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import type { OptunaSettings } from '../../coordinator/grid/spec.ts';
import { OptunaDimensions } from '../../coordinator/search/optuna/dimensions.ts';
import type { StudySettings } from '../../coordinator/search/optuna/messages.ts';
import { startSampler } from '../../coordinator/search/optuna/process.ts';
import { INITIAL_OPTUNA_STATE, nextOptunaPoint } from '../../coordinator/search/optuna/searcher.ts';
import { Samplers } from '../../coordinator/search/optuna/sweep-samplers.ts';
import type { PastSuggestion, SearchState } from '../../coordinator/search/searcher.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { Cluster } from '../support/cluster.ts';
import { sweepFile, testFolder } from '../support/folder.ts';
import { alive, childrenOf, killNow } from '../support/processes.ts';
import { activate, INSTALL_LIMIT_MS, pythonEnvironment } from '../support/python.ts';
import { hasTool } from '../support/tool.ts';
import { trawl } from '../support/trawl.ts';
import { until } from '../support/until.ts';

const LIMIT_MS = 240_000;
const hasPython = hasTool('python3');

let programs = '';
beforeAll(async () => {
  if (hasPython) programs = await pythonEnvironment('optuna==5.0.0\ncmaes==0.13.1\n');
}, INSTALL_LIMIT_MS);
afterEach(() => vi.unstubAllEnvs());

const SPACE = `
trainer: noop
run_cap: 100
parameters:
  x: {min: -5.0, max: 5.0}
  rate: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-1}
  layers: {min: 1, max: 6}
  width: {distribution: q_uniform, min: 8, max: 64, q: 8}
  noise: {distribution: normal}
  kind: {values: [a, b, c]}
when: [{if: {kind: a}, set: {noise: 0}}]
`;

interface Study {
  readonly samplers: Samplers;
  readonly problems: readonly string[];
  next(number: number, suggestions: readonly PastSuggestion[], state: SearchState): Promise<PastSuggestion>;
}

/** Opens a study whose suggestions can be requested one at a time. */
function openStudy(optuna: string, goals: StudySettings['goals'], python: string, allowsOwnCode = false): Study {
  const { search, when } = parseSweep(`${SPACE}method: optuna\nseed: 3\noptuna: ${optuna}\n`, 's.yaml');
  const { sampler, options, seed, space } = search as OptunaSettings;
  const dimensions = new OptunaDimensions(space, when);
  const problems: string[] = [];
  const samplers = new Samplers({
    start: startSampler,
    python,
    allowsOwnCode,
    onReady: () => {},
    onProblem: (_, problem) => problem !== '' && problems.push(problem),
  });
  const own = samplers.open('1', { sampler, options, python: undefined, seed, goals, space: dimensions.space });
  return {
    samplers,
    problems,
    async next(number, suggestions, state) {
      const history = { goal: 'minimize' as const, results: [], live: [], sampler: { suggestions, answer: undefined } };
      const step = nextOptunaPoint({ seed, space, dimensions }, state, history);
      if (step.kind !== 'wait' || step.request === undefined) throw new Error('the searcher sends no request');
      own.request(step.request);
      await until('an answer', () => problems.length > 0 || own.answer?.number === number);
      if (own.answer === undefined) throw new Error(problems[0]);
      return { record: own.answer.record, outcome: { kind: 'running' } };
    },
  };
}

/**
 * Returns the suggestions of a search that runs two trials at a time.
 * @param restarts whether the process is restarted before every third suggestion
 */
async function suggestionsOf(optuna: string, objectives: number, count: number, restarts: boolean) {
  const goals = Array.from({ length: objectives }, () => 'minimize' as const);
  const python = join(programs, 'python3');
  const suggestions: PastSuggestion[] = [];
  let study = openStudy(optuna, goals, python);
  for (let number = 0; number < count; number++) {
    if (restarts && number % 3 === 2) {
      study.samplers.closeAll();
      study = openStudy(optuna, goals, python);
    }
    suggestions.push(await study.next(number, suggestions, { ...INITIAL_OPTUNA_STATE, points: number }));
    const done = suggestions[number - 1];
    if (done === undefined) continue;
    const { x = 0, layers = 0 } = done.record.values;
    const values = number % 7 === 5 ? [undefined] : [x ** 2 + layers, (x - 2) ** 2].slice(0, objectives);
    suggestions[number - 1] = { record: done.record, outcome: { kind: 'ended', values } };
  }
  study.samplers.closeAll();
  // The attributes of CMA-ES contain state that affects no suggestion, so only the values are compared.
  return suggestions.map(({ record }) => record.values);
}

describe.runIf(hasPython)('a sampler of Optuna', () => {
  test.each([
    ['{sampler: TPESampler, options: {n_startup_trials: 3, multivariate: true, group: true}}', 1, 7],
    ['{sampler: CmaEsSampler, options: {popsize: 3}}', 1, 9],
    ['{sampler: NSGAIISampler, options: {population_size: 3}}', 2, 9],
    ['{sampler: NSGAIIISampler, options: {population_size: 3}}', 2, 7],
    ['{sampler: RandomSampler}', 1, 5],
  ])(
    '%s makes the same suggestions with and without restarts of its process',
    {
      timeout: LIMIT_MS,
    },
    async (optuna, objectives, count) => {
      const [whole, restarted] = await Promise.all([
        suggestionsOf(optuna, objectives, count, false),
        suggestionsOf(optuna, objectives, count, true),
      ]);
      expect(restarted).toEqual(whole);
      expect(new Set(whole.map((values) => JSON.stringify(values))).size).toBe(count);
    },
  );

  test('with an unknown option is rejected, and the error suggests the nearest name', {
    timeout: LIMIT_MS,
  }, async () => {
    const study = openStudy('{options: {multivarate: true}}', ['minimize'], join(programs, 'python3'));
    const answer = study.next(0, [], INITIAL_OPTUNA_STATE);
    await expect(answer).rejects.toThrow(
      'the options of the sampler are invalid: TPESampler has no option "multivarate"; did you mean "multivariate"?',
    );
    study.samplers.closeAll();
  });

  test('is not found in a Python without Optuna, and the error shows the command that installs Optuna', {
    timeout: LIMIT_MS,
  }, async () => {
    const study = openStudy('{}', ['minimize'], 'python3');
    vi.stubEnv('PYTHONPATH', withoutOptuna());
    await expect(study.next(0, [], INITIAL_OPTUNA_STATE)).rejects.toThrow(
      /^Optuna is not installed for python3; install it with: \S*python3\S* -m pip install optuna$/,
    );
    study.samplers.closeAll();
  });
});

/** Returns a folder that, on PYTHONPATH, hides an installed Optuna. */
function withoutOptuna(): string {
  const folder = testFolder();
  writeFileSync(join(folder, 'optuna.py'), 'raise ModuleNotFoundError("No module named \'optuna\'", name="optuna")\n');
  return folder;
}

const TRIALS = 7;
/** The number of created trials that have not ended, on one slot: one trial runs, and two can start next. */
const OPEN_TRIALS = 3;

/**
 * @param folder each trial runs until this folder contains a file that is named after the trial's ID
 */
const sweepText = (folder: string) => `method: optuna
optuna: {sampler: TPESampler, options: {n_startup_trials: 2}}
run_cap: ${TRIALS}
metric: {name: loss, goal: minimize}
command:
  - sh
  - -c
  - 'until [ -e "$1/$TRAWL_TRIAL" ]; do sleep 0.1; done; echo "{\\"loss\\": $2}"'
  - sh
  - ${folder}
  - "\${param:x}"
parameters:
  x: {min: 0.0, max: 1.0}
  rate: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-1}
`;

const samplersOf = (cluster: Cluster) =>
  childrenOf(cluster.coordinator.pid, (command) => command.includes('sampler.py'));

/**
 * Runs a search on one slot. A suggestion depends on the results that are known when it is requested. Therefore, a trial
 * ends only when all trials that must not depend on its result have been created. Returns the parameters of the trials,
 * in the order in which the trials were created.
 * @param disturb called before each trial ends, with the number of trials created so far
 */
async function searched(folder: string, disturb: (cluster: Cluster, created: number) => Promise<void>) {
  mkdirSync(folder, { recursive: true });
  const cluster = await Cluster.start(folder);
  await cluster.startAgent('agent', 1);
  const { sweep } = await cluster.json<{ sweep: string }>('submit', sweepFile(folder, sweepText(folder)));
  for (let ended = 0; ended < TRIALS; ended++) {
    const count = Math.min(ended + OPEN_TRIALS, TRIALS);
    const created = async () => {
      const trials = await cluster.trials(sweep);
      return trials.length >= count && trials;
    };
    await until(`${count} trials`, created);
    await disturb(cluster, count);
    const trial = (await cluster.trials(sweep)).find(({ index }) => index === ended);
    if (trial === undefined) throw new Error(`there is no trial ${ended}`);
    writeFileSync(join(folder, trial.trial), '');
  }
  await until('the end of the sweep', async () => (await cluster.sweep(sweep))?.state === 'SWEEP_STATE_FINISHED');
  const trials = await cluster.trials(sweep);
  await until('the end of the sampler', () => samplersOf(cluster).length === 0);
  return trials.toSorted((a, b) => a.index - b.index).map(({ parameters }) => parameters);
}

describe.runIf(hasPython)('a search on a cluster', () => {
  test('has the same trials with and without kills of the coordinator and of the sampler process', {
    timeout: LIMIT_MS,
  }, async () => {
    activate(programs);
    const folder = testFolder();
    let killed = 0;
    const [whole, disturbed] = await Promise.all([
      searched(join(folder, 'whole'), async () => {}),
      searched(join(folder, 'disturbed'), async (cluster, created) => {
        const [sampler = 0] = samplersOf(cluster);
        if (created === 4) {
          expect(sampler).toBeGreaterThan(0);
          killNow(sampler);
          killed = sampler;
        } else if (created === 5) {
          expect(sampler).toBeGreaterThan(0);
          expect(sampler).not.toBe(killed);
          await cluster.coordinator.killNow();
          await until('the end of the sampler of the killed coordinator', () => alive([sampler]).length === 0);
          await cluster.startCoordinator();
        }
      }),
    ]);
    expect(whole).toHaveLength(TRIALS);
    expect(disturbed).toEqual(whole);
  });

  test('is rejected at its submission if its sampler has an invalid option', { timeout: LIMIT_MS }, async () => {
    activate(programs);
    const folder = testFolder();
    const cluster = await Cluster.start(folder);
    const text = sweepText(folder).replace('n_startup_trials', 'n_startup_trails');
    const { code, stderr } = await cluster.run('submit', sweepFile(folder, text));
    expect(code).toBe(4);
    expect(stderr).toContain('TPESampler has no option "n_startup_trails"; did you mean "n_startup_trials"?');
    expect(await cluster.json('ls')).toEqual([]);
  });
});

describe.runIf(hasPython)('without Optuna', () => {
  test('trawl up rejects a search before any process starts, trawl plan warns, and trawl doctor lists Optuna', {
    timeout: LIMIT_MS,
  }, async () => {
    vi.stubEnv('PYTHONPATH', withoutOptuna());
    const folder = testFolder();
    const file = sweepFile(folder, sweepText(folder));
    const missing = /Optuna is not installed for python3; install it with: \S*python3\S* -m pip install optuna/;
    const dir = join(folder, 'run');
    const up = await trawl('up', file, '--dir', dir, '--slots', '1');
    expect(up.code).toBe(4);
    expect(up.stderr).toMatch(missing);
    expect(existsSync(join(dir, 'store.db'))).toBe(false);
    expect((await trawl('plan', file)).stdout).toMatch(missing);
    expect((await trawl('doctor')).stdout).toMatch(/warning +Optuna +not installed for python3/);
  });
});
