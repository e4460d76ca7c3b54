/** Converts search spaces in JSON: Optuna's distributions, and Ray Tune's sampling functions. */
import { type Converted, isRecord, numberAt, type ParameterDraft, recordAt } from './converted.ts';

export const isOptuna = (data: unknown): boolean =>
  isRecord(data) &&
  Object.values(data).some(
    (entry) => isRecord(entry) && /Distribution$/.test(`${entry.name}`) && isRecord(entry.attributes),
  );

/**
 * Converts Optuna's distributions.
 * @param data a mapping of parameter names to outputs of `optuna.distributions.distribution_to_json`
 */
export function fromOptuna(data: unknown): Converted {
  const notes = ['the file has no command, metric or number of trials.'];
  const parameters = Object.fromEntries(
    Object.entries(isRecord(data) ? data : {}).map(([name, entry]) => [name, optunaParameter(name, entry, notes)]),
  );
  return { from: "Optuna's distributions", sweep: { method: 'tpe', parameters, run_cap: 100 }, notes };
}

function optunaParameter(name: string, entry: unknown, notes: string[]): ParameterDraft {
  const kind = isRecord(entry) ? `${entry.name}` : '';
  const attributes = recordAt(entry, 'attributes');
  const [min, max] = [numberAt(attributes, 'low'), numberAt(attributes, 'high')];
  const step = numberAt(attributes, 'step') ?? numberAt(attributes, 'q');
  if (kind === 'CategoricalDistribution') return { values: attributes.choices };
  if (min === undefined || max === undefined) {
    notes.push(`parameter ${name} has the unknown distribution ${kind}.`);
    return { value: null };
  }
  if (min === max) return { value: min };
  const log = attributes.log === true || /^(?:Int)?LogUniform/.test(kind);
  if (/^Int/.test(kind)) {
    if (log) return { distribution: 'q_log_uniform_values', min, max, q: 1 };
    return step === undefined || step === 1 ? { distribution: 'int_uniform', min, max } : { min, max, step };
  }
  if (log) return { distribution: 'log_uniform_values', min, max };
  return step === undefined ? { distribution: 'uniform', min, max } : { min, max, step };
}

/**
 * Converts Ray Tune's space in its usual JSON forms: `{"loguniform": [1e-4, 0.1]}`, `{"type": "loguniform", "lower": …,
 * "upper": …}`, `{"grid_search": [1, 2]}`. Any other value is a constant or a nested space.
 */
export function fromRayTune(data: unknown): Converted {
  const notes: string[] = [];
  const top = isRecord(data) ? data : {};
  const space = isRecord(top.param_space) ? top.param_space : isRecord(top.config) ? top.config : top;
  const tune = { ...recordAt(top, 'tune_config'), ...top };
  const seen = { grid: false, random: false };
  const parameters = raySpace(space, seen, notes, '');
  if (seen.grid && seen.random) notes.push('grid_search is combined with random values: trawl draws both at random.');
  const metric = typeof tune.metric === 'string' ? tune.metric : undefined;
  if (metric === undefined) notes.push('the metric is unknown: add it.');
  notes.push('the file has no command.');
  return {
    from: "Ray Tune's space",
    sweep: {
      method: seen.random ? 'random' : 'grid',
      metric: metric === undefined ? undefined : { name: metric, goal: tune.mode === 'max' ? 'maximize' : 'minimize' },
      parameters,
      run_cap: seen.random ? (numberAt(tune, 'num_samples') ?? 100) : undefined,
      concurrency: numberAt(tune, 'max_concurrent_trials'),
    },
    notes,
  };
}

type Seen = { grid: boolean; random: boolean };

function raySpace(
  space: Record<string, unknown>,
  seen: Seen,
  notes: string[],
  prefix: string,
): Record<string, ParameterDraft> {
  return Object.fromEntries(
    Object.entries(space)
      .filter(
        ([name]) =>
          prefix !== '' || !['metric', 'mode', 'num_samples', 'max_concurrent_trials', 'tune_config'].includes(name),
      )
      .map(([name, entry]) => [name, rayParameter(`${prefix}${name}`, entry, seen, notes)]),
  );
}

const RAY_KINDS = /^(?:grid_search|choice|(?:q|log|qlog)?(?:uniform|randint)|q?randn|sample_from)$/;

function rayParameter(name: string, entry: unknown, seen: Seen, notes: string[]): ParameterDraft {
  if (!isRecord(entry)) return { value: entry };
  const call = Object.keys(entry).length === 1 ? Object.keys(entry).find((key) => RAY_KINDS.test(key)) : undefined;
  const typed = ['type', '_type', 'space', 'sampler']
    .map((key) => entry[key])
    .find((kind) => RAY_KINDS.test(`${kind}`));
  const kind = call ?? (typeof typed === 'string' ? typed : undefined);
  if (kind === undefined) return { parameters: raySpace(entry, seen, notes, `${name}.`) };
  const listed = call === undefined ? (entry.categories ?? entry.values ?? entry.choices) : entry[call];
  const given = Array.isArray(listed) ? listed : [];
  const named = (...keys: string[]) => keys.map((key) => numberAt(entry, key)).find((value) => value !== undefined);
  const first = Number(given[0] ?? named('lower', 'low', 'min', 'mean') ?? 0);
  const second = Number(given[1] ?? named('upper', 'high', 'max', 'sd', 'std') ?? 1);
  const q = (given[2] === undefined ? named('q') : Number(given[2])) ?? 1;
  if (kind === 'grid_search') {
    seen.grid = true;
    return { values: given };
  }
  seen.random = true;
  switch (kind) {
    case 'choice':
      return { values: given };
    case 'uniform':
      return { distribution: 'uniform', min: first, max: second };
    case 'quniform':
      return { distribution: 'q_uniform', min: first, max: second, q };
    case 'loguniform':
      return { distribution: 'log_uniform_values', min: first, max: second };
    case 'qloguniform':
      return { distribution: 'q_log_uniform_values', min: first, max: second, q };
    case 'randint':
      return { distribution: 'int_uniform', min: first, max: second - 1 };
    case 'qrandint':
      return { min: first, max: second, step: q };
    case 'lograndint':
    case 'qlograndint':
      return { distribution: 'q_log_uniform_values', min: first, max: second, q };
    case 'randn':
      return { distribution: 'normal', mu: first, sigma: second };
    case 'qrandn':
      return { distribution: 'q_normal', mu: first, sigma: second, q };
    default:
      notes.push(`parameter ${name} is sampled by a function (${kind}) and cannot be converted.`);
      return { value: null };
  }
}
