/**
 * Measures a sampler of Optuna in its Python process: the time of a suggestion of `method: optuna`, and the time of the
 * first suggestion of a new process, which rebuilds the study from all ended trials.
 *
 *   npm run bench:optuna -- --python PROGRAM [--sampler TPESampler] [--trials 1000,5000]
 */
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { median } from 'd3-array';
import type { OptunaSettings } from '../coordinator/grid/spec.ts';
import { OptunaDimensions } from '../coordinator/search/optuna/dimensions.ts';
import { startSampler } from '../coordinator/search/optuna/process.ts';
import { Samplers, type SweepSampler } from '../coordinator/search/optuna/sweep-samplers.ts';
import type { PastSuggestion } from '../coordinator/search/searcher.ts';
import { parseSweep } from '../coordinator/sweepfile/parse.ts';

const SUGGESTIONS = 7;
const SPACE = `
trainer: noop
method: optuna
seed: 1
parameters:
  a: {min: -5.0, max: 5.0}
  b: {min: -5.0, max: 5.0}
  rate: {distribution: log_uniform_values, min: 1.0e-4, max: 1.0e-1}
  layers: {min: 1, max: 6}
  kind: {values: [a, b, c]}
`;

const { values } = parseArgs({
  options: {
    python: { type: 'string', default: 'python3' },
    sampler: { type: 'string', default: 'TPESampler' },
    trials: { type: 'string', default: '1000,5000' },
  },
});
const { search, when } = parseSweep(`${SPACE}optuna: {sampler: ${values.sampler}}\n`, 's.yaml');
const { sampler, options, seed, space } = search as OptunaSettings;
const dimensions = new OptunaDimensions(space, when);

let wake = () => {};
const samplers = new Samplers({
  start: startSampler,
  python: values.python,
  allowsOwnCode: false,
  onReady: () => wake(),
  onProblem(_, problem) {
    if (problem !== '') throw new Error(problem);
  },
});

console.log(
  `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`,
);
console.log(`${values.sampler}, ${space.size} parameters; median of ${SUGGESTIONS} suggestions (largest)\n`);
console.log('ended trials    new process    next suggestions');
for (const count of values.trials.split(',').map(Number)) {
  const study = Array.from({ length: count }, (_, at) => ended(at));
  const own = open();
  const rebuiltMs = await suggest(own, study);
  const times: number[] = [];
  for (let next = 0; next < SUGGESTIONS; next++) {
    study.push(ended(count + next, own.answer?.record));
    times.push(await suggest(own, study));
  }
  const next = `${(median(times) ?? Number.NaN).toFixed(0)} ms (${Math.max(...times).toFixed(0)})`;
  console.log(`${count}`.padStart(12) + `${rebuiltMs.toFixed(0)} ms`.padStart(15) + next.padStart(20));
}
samplers.closeAll();

function open(): SweepSampler {
  return samplers.open('1', {
    sampler,
    options,
    python: undefined,
    seed,
    goals: ['minimize'],
    space: dimensions.space,
  });
}

/** Requests a suggestion, and returns the time until the suggestion arrives, in milliseconds. */
async function suggest(own: SweepSampler, trials: readonly PastSuggestion[]): Promise<number> {
  const begun = performance.now();
  const answered = new Promise<void>((resolve) => {
    wake = resolve;
  });
  own.request({ number: trials.length, trials });
  await answered;
  return performance.now() - begun;
}

/** Returns an ended trial. By default, its point comes from a sequence of evenly spread points. */
function ended(at: number, record = spread(at)): PastSuggestion {
  const { a = 0, b = 0, layers = 0 } = record.values;
  return { record, outcome: { kind: 'ended', values: [(a - 1) ** 2 + b ** 2 + layers] } };
}

function spread(at: number): PastSuggestion['record'] {
  const share = (step: number) => (at * step) % 1;
  return {
    values: {
      ...{ a: 10 * share(0.618) - 5, b: 10 * share(0.755) - 5, rate: 10 ** (2.9 * share(0.57) - 3.95) },
      ...{ layers: 1 + Math.floor(6 * share(0.819)), kind: Math.floor(3 * share(0.671)) },
    },
    attributes: '',
  };
}
