// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Converts Determined's experiment configuration. */
import { parseArgsStringToArgv } from 'string-argv';
import { type Converted, isRecord, numberAt, type ParameterDraft, recordAt, textAt } from './converted.ts';

const METHODS: Readonly<Record<string, Converted['sweep']['method']>> = {
  grid: 'grid',
  random: 'random',
  adaptive_asha: 'random',
  adaptive: 'random',
  adaptive_simple: 'random',
  async_halving: 'random',
  single: 'grid',
};

export const isDetermined = (data: unknown): boolean =>
  isRecord(data) && isRecord(data.searcher) && (isRecord(data.hyperparameters) || data.entrypoint !== undefined);

export function fromDetermined(data: unknown): Converted {
  const notes: string[] = [];
  const searcher = recordAt(data, 'searcher');
  const name = textAt(searcher, 'name') ?? 'single';
  const method = METHODS[name];
  if (method === undefined) notes.push(`searcher ${name} has no equivalent; random is used.`);
  const metric = textAt(searcher, 'metric');
  const smaller = searcher.smaller_is_better !== false;
  if (searcher.max_length !== undefined) {
    notes.push(`max_length ${JSON.stringify(searcher.max_length)} is omitted: the program decides how long it trains.`);
  }
  const slots = numberAt(recordAt(data, 'resources'), 'slots_per_trial');
  const restarts = numberAt(data, 'max_restarts');
  const asha = name.startsWith('adaptive') || name === 'async_halving';
  return {
    from: 'a Determined experiment',
    sweep: {
      name: textAt(data, 'name'),
      method: method ?? 'random',
      metric: metric === undefined ? undefined : { name: metric, goal: smaller ? 'minimize' : 'maximize' },
      command: commandOf(data, notes),
      parameters: parametersOf(recordAt(data, 'hyperparameters'), method === 'grid', '', notes),
      run_cap: method === 'grid' ? undefined : numberAt(searcher, 'max_trials'),
      concurrency: numberAt(searcher, 'max_concurrent_trials'),
      resources: slots === undefined ? undefined : { gpu: slots === 0 ? false : slots },
      retry: restarts === undefined ? undefined : { crash: restarts },
      early_terminate: asha ? { type: 'asha', min_iter: 1, eta: numberAt(searcher, 'divisor') ?? 4 } : undefined,
    },
    notes,
  };
}

function parametersOf(
  entries: Record<string, unknown>,
  grid: boolean,
  prefix: string,
  notes: string[],
): Record<string, ParameterDraft> {
  return Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => [name, parameterOf(`${prefix}${name}`, entry, grid, notes)]),
  );
}

function parameterOf(name: string, entry: unknown, grid: boolean, notes: string[]): ParameterDraft {
  if (!isRecord(entry)) return { value: entry };
  const [min, max, count] = ['minval', 'maxval', 'count'].map((key) => numberAt(entry, key));
  switch (entry.type) {
    case 'const':
      return { value: entry.val };
    case 'categorical':
      return { values: entry.vals };
    case 'int':
    case 'double':
    case 'log':
      break;
    default:
      return { parameters: parametersOf(entry, grid, `${name}.`, notes) };
  }
  if (min === undefined || max === undefined) {
    notes.push(`parameter ${name} lacks minval or maxval.`);
    return { value: null };
  }
  const base = numberAt(entry, 'base') ?? 10;
  if (grid && count !== undefined) {
    const at = (index: number) => min + ((max - min) * index) / Math.max(1, count - 1);
    const values = Array.from({ length: count }, (_, index) =>
      entry.type === 'log' ? power(base, at(index)) : at(index),
    );
    return { values: [...new Set(entry.type === 'int' ? values.map(Math.round) : values)] };
  }
  if (grid && entry.type !== 'int') notes.push(`parameter ${name} needs a count for a grid.`);
  if (entry.type === 'int') return { distribution: 'int_uniform', min, max };
  if (entry.type === 'log') return { distribution: 'log_uniform_values', min: power(base, min), max: power(base, max) };
  return { distribution: 'uniform', min, max };
}

/** Removes binary rounding errors, so that 10^-4 becomes 0.0001. */
const power = (base: number, exponent: number) => Number((base ** exponent).toPrecision(15));

function commandOf(data: unknown, notes: string[]): string[] | undefined {
  const entrypoint = isRecord(data) ? data.entrypoint : undefined;
  notes.push(
    "parameters are passed as arguments (${args}); a program that reads Determined's context must be changed.",
  );
  if (Array.isArray(entrypoint)) return [...entrypoint.map(String), '${args}'];
  if (typeof entrypoint !== 'string') {
    notes.push('there is no entrypoint; write the command by hand.');
    return undefined;
  }
  if (/^[\w.]+:\w+$/.test(entrypoint)) {
    notes.push(`the entrypoint ${entrypoint} is a Determined trial class; write the command by hand.`);
    return undefined;
  }
  return [...parseArgsStringToArgv(entrypoint), '${args}'];
}
