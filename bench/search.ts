/**
 * Compares `method: tpe` with Optuna's TPE by the regret after the same number of trials. Both are run on functions with
 * known minima and on a table of autoencoder trials, with the same seeds. Prints a paired test for each function and
 * each Optuna sampler. Creates a virtual environment with the `python3` on the PATH, and installs Optuna there. An
 * interrupted run continues from its stored results.
 *
 *   npm run bench:search -- [--seeds 60] [--trials 100] [--further] [--results FILE]
 *   npm run bench:search -- --times     # measures only the CPU time of a suggestion, without Optuna
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, homedir, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from 'd3-array';
import type { SearchResult, SearchState } from '../coordinator/search/searcher.ts';
import { INITIAL_TPE_STATE, nextTpePoint } from '../coordinator/search/tpe/searcher.ts';
import { nextPoint, type Observation, type TpeSearch } from '../coordinator/search/tpe/tpe.ts';
import { tableFunction } from './search/autoencoder-table.ts';
import { FURTHER, type Point, REQUIRED, type TestFunction } from './search/functions.ts';
import { OptunaPeer, type OptunaSampler } from './search/optuna-peer.ts';
import { type Method, Results } from './search/results.ts';
import { holm, signedRankP } from './search/statistics.ts';

const OPTUNA = 'optuna==5.0.0';
const TABLE = fileURLToPath(new URL('../../bench/search/autoencoder-trials.csv', import.meta.url));
/** The p-value below which a difference is significant. */
const LEVEL = 0.05;
/** The maximum number of points of a search, including points that are dropped because they repeat earlier points. */
const MAX_POINTS = 10_000;

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '60' },
    trials: { type: 'string', default: '100' },
    further: { type: 'boolean', default: false },
    times: { type: 'boolean', default: false },
    results: { type: 'string', default: join(tmpdir(), 'trawl-bench-search.jsonl') },
  },
});
const seeds = Number(values.seeds);
const trials = Number(values.trials);
const results = new Results(values.results);
const functions = values.further ? FURTHER : [...REQUIRED, tableFunction(TABLE)];

if (!values.times) await compare();
printTimes();

async function compare(): Promise<void> {
  const { peer, versions } = await OptunaPeer.start(pythonWithOptuna());
  console.log(`${machine()}, ${versions}`);
  console.log(`${seeds} seeds of ${trials} trials; results in ${values.results}; load ${loadavg()[0]?.toFixed(1)}\n`);
  for (const f of functions) {
    for (let seed = 0; seed < seeds; seed++) {
      for (const sampler of ['multivariate+group', 'default'] as const) await recordOptuna(peer, f, sampler, seed);
      if (results.get(f.name, 'tpe', seed) === undefined) {
        results.add({ f: f.name, method: 'tpe', seed, regret: regretOf(f, searched(f, seed)) });
      }
    }
  }
  peer.close();
  printTable();
}

function machine(): string {
  return `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}`;
}

/** Creates a virtual environment with Optuna, or reuses the existing one. Returns its interpreter. */
function pythonWithOptuna(): string {
  const folder = join(homedir(), '.cache', 'trawl', `bench-${OPTUNA.replace('==', '-')}`);
  const python = join(folder, 'bin', 'python');
  try {
    if (!existsSync(python)) execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' });
    execFileSync(python, ['-m', 'pip', 'install', '--quiet', OPTUNA], { stdio: 'inherit' });
  } catch (error) {
    console.error(`could not install ${OPTUNA} in ${folder}: ${error instanceof Error ? error.message : error}`);
    console.error('The comparison needs python3 (3.10 or later) with venv, and a package index.');
    process.exit(1);
  }
  return python;
}

/**
 * Runs one Optuna study, and stores its regret. In a space without conditions, the default sampler of Optuna 5 gives
 * the same points as the multivariate sampler with groups. In such a space, both samplers are run only for the first
 * seed, and must reach the same regret. For all other seeds, the regret of the multivariate sampler is stored for both.
 */
async function recordOptuna(peer: OptunaPeer, f: TestFunction, sampler: OptunaSampler, seed: number): Promise<void> {
  const method: Method = `optuna ${sampler}`;
  if (results.get(f.name, method, seed) !== undefined) return;
  const twin = results.get(f.name, 'optuna multivariate+group', seed);
  const isTwin = sampler === 'default' && f.conditions.size === 0 && twin !== undefined;
  const regret = isTwin && seed > 0 ? twin : regretOf(f, await peer.study(f, sampler, seed, trials));
  if (isTwin && regret !== twin) throw new Error(`${f.name}: Optuna's default differs from its multivariate sampler`);
  results.add({ f: f.name, method, seed, regret });
}

/** Runs a search as a sweep does: a point that is equal to an earlier point is dropped, and does not become a trial. */
function searched(f: TestFunction, seed: number): Point[] {
  const search = searchOf(f, seed);
  const results: { parameters: Point; value: number | undefined }[] = [];
  const known = new Set<string>();
  let state: SearchState = INITIAL_TPE_STATE;
  for (let points = 0; results.length < trials && points < MAX_POINTS; points++) {
    const step = nextTpePoint(search, 1, state, { goal: 'minimize', results, live: [] });
    if (step.kind !== 'point') break;
    state = step.state;
    const key = JSON.stringify(step.point);
    if (known.has(key)) continue;
    known.add(key);
    results.push({ parameters: step.point, value: f.observe(step.point, `${seed}/${results.length}`) });
  }
  return results.map(({ parameters }) => parameters);
}

function searchOf(f: TestFunction, seed: number): TpeSearch {
  const isActive = (point: Point, name: string) => {
    const condition = f.conditions.get(name);
    return condition === undefined || point[condition.parameter] === condition.value;
  };
  return { seed, goal: 'minimize', space: f.space, isActive };
}

function regretOf(f: TestFunction, points: readonly Point[]): number {
  return Math.min(...points.map((point) => f.value(point) ?? Number.POSITIVE_INFINITY)) - f.minimum;
}

function printTable(): void {
  const others = ['optuna default', 'optuna multivariate+group'] as const;
  const rows = functions.flatMap((f) =>
    others.map((other) => {
      const pairs = Array.from({ length: seeds }, (_, seed): [number, number] => [
        results.get(f.name, 'tpe', seed) ?? Number.NaN,
        results.get(f.name, other, seed) ?? Number.NaN,
      ]);
      return { f, other, pairs, p: signedRankP(pairs.map(([own, its]) => own - its)) };
    }),
  );
  const corrected = holm(rows.map(({ p }) => p));
  console.log(
    '| function | compared with | median regret, tpe | median regret, Optuna | tpe better | p | p, Holm | tpe is |',
  );
  console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
  for (const [at, { f, other, pairs, p }] of rows.entries()) {
    const own = median(pairs.map(([regret]) => regret)) ?? Number.NaN;
    const its = median(pairs.map(([, regret]) => regret)) ?? Number.NaN;
    const wins = pairs.filter(([a, b]) => a < b).length;
    const losses = pairs.filter(([a, b]) => a > b).length;
    const significant = (corrected[at] ?? 1) < LEVEL;
    const verdict = significant ? (wins > losses ? 'better' : 'worse') : 'not different';
    const cells = [f.name, other, own.toPrecision(3), its.toPrecision(3), `${wins} of ${pairs.length}`];
    console.log(`| ${[...cells, p.toPrecision(2), (corrected[at] ?? 1).toPrecision(2), verdict].join(' | ')} |`);
  }
}

/**
 * Prints the CPU time of one suggestion after 100, 1,000 and 10,000 trials. Measures three kinds of searches: ten
 * parameters, a space with conditions, and ten parameters with two to four objectives. The first objective is the value
 * of the function, and each further objective is the value of one parameter.
 */
function printTimes(): void {
  console.log(`\n${machine()}, load ${loadavg()[0]?.toFixed(1)}`);
  console.log('CPU time of a suggestion after 100, 1,000 and 10,000 trials, median of 21 (largest)');
  const ten = FURTHER.find(({ space }) => space.size === 10);
  for (const f of [ten, REQUIRED.find(({ conditions }) => conditions.size > 0)]) {
    if (f === undefined) continue;
    const cells = [100, 1_000, 10_000].map((count) => {
      const search = searchOf(f, 0);
      const ended = Array.from({ length: count }, (_, index): Observation => {
        const point = nextPoint(search, index, { ended: [], running: [] });
        return { point, value: f.value(point) };
      });
      const times = Array.from({ length: 21 }, (_, index) => {
        return cpuMs(() => nextPoint(search, count + index, { ended, running: [] }));
      });
      return timeText(times);
    });
    console.log(`${f.name.padEnd(20)} ${cells.join('   ')}`);
  }
  if (ten !== undefined) for (const objectives of [2, 3, 4]) printTimesOf(ten, objectives);
}

function printTimesOf(f: TestFunction, objectives: number): void {
  const search = searchOf(f, 0);
  const goals = Array.from({ length: objectives }, () => 'minimize' as const);
  const cells = [100, 1_000, 10_000].map((count) => {
    const results = Array.from({ length: count }, (_, index): SearchResult => {
      const parameters = nextPoint(search, index, { ended: [], running: [] });
      const others = Object.values(parameters).map(Number);
      return { parameters, value: undefined, values: [f.value(parameters), ...others].slice(0, objectives) };
    });
    const times = Array.from({ length: 21 }, (_, index) => {
      const state = { points: count + index, trials: 0, repeated: 0 };
      return cpuMs(() => nextTpePoint(search, 1, state, { goal: 'minimize', goals, results, live: [] }));
    });
    return timeText(times);
  });
  console.log(`${`${objectives} objectives`.padEnd(20)} ${cells.join('   ')}`);
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

function timeText(times: readonly number[]): string {
  return `${(median(times) ?? Number.NaN).toFixed(1)} ms (${Math.max(...times).toFixed(1)})`;
}
