// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros have this form
/** Converts NNI's experiment configuration (versions 1 and 2) and search space. */
import { parseArgsStringToArgv } from 'string-argv';
import { type Converted, isRecord, listAt, numberAt, type ParameterDraft, recordAt, textAt } from './converted.ts';
import { nniPopulation } from './population.ts';

const METHODS: Readonly<Record<string, Converted['sweep']['method']>> = {
  gridsearch: 'grid',
  random: 'random',
  tpe: 'tpe',
  anneal: 'tpe',
  smac: 'tpe',
  gp: 'tpe',
  metis: 'tpe',
  hyperband: 'random',
  bohb: 'tpe',
  pbt: 'pbt',
  pbttuner: 'pbt',
  evolution: 'optuna',
};

export const isNniSpace = (data: unknown): boolean =>
  isRecord(data) && Object.values(data).some((entry) => isRecord(entry) && '_type' in entry);

export const isNni = (data: unknown): boolean =>
  isRecord(data) &&
  ('trialCommand' in data || 'searchSpaceFile' in data || 'searchSpacePath' in data || isNniSpace(data.searchSpace));

/**
 * Returns the path of a separate search space file, relative to the configuration; undefined if the configuration names
 * no such file.
 */
export function nniSpaceFile(data: unknown): string | undefined {
  return textAt(data, 'searchSpaceFile') ?? textAt(data, 'searchSpacePath');
}

/** Converts an NNI experiment. @param space the search space, from its own file or the configuration's `searchSpace` */
export function fromNni(data: unknown, space: unknown): Converted {
  const notes: string[] = [];
  const tuner = recordAt(data, 'tuner');
  const tunerName = textAt(tuner, 'name') ?? textAt(tuner, 'builtinTunerName') ?? 'TPE';
  const known = METHODS[tunerName.toLowerCase()];
  if (known === undefined) notes.push(`tuner ${tunerName} has no equivalent; random is used.`);
  const classArgs = recordAt(tuner, 'classArgs');
  const mode = textAt(classArgs, 'optimize_mode');
  const parameters = spaceOf(space, notes, '');
  const total = numberAt(data, 'maxTrialNumber') ?? numberAt(data, 'maxTrialNum');
  const search =
    known === 'pbt' ? nniPopulation(classArgs, total, parameters, notes) : { method: known ?? ('random' as const) };
  const { method } = search;
  notes.push("NNI's files do not name the metric: `default` is the value of nni.report_final_result.");
  const command = textAt(data, 'trialCommand') ?? textAt(recordAt(data, 'trial'), 'command');
  if (command !== undefined) {
    notes.push('a program that calls nni.get_next_parameter must read its arguments, or TRAWL_PARAMETERS, instead.');
  }
  const gpus = numberAt(data, 'trialGpuNumber') ?? numberAt(recordAt(data, 'trial'), 'gpuNum');
  const assessor =
    textAt(recordAt(data, 'assessor'), 'name') ?? textAt(recordAt(data, 'assessor'), 'builtinAssessorName');
  const isMedian = assessor === 'Medianstop' && method !== 'pbt';
  if (assessor !== undefined && !isMedian) notes.push(`assessor ${assessor} has no equivalent.`);
  const time = textAt(data, 'maxTrialDuration') ?? undefined;
  if (textAt(data, 'maxExperimentDuration') !== undefined) notes.push('maxExperimentDuration has no equivalent.');
  return {
    from: 'an NNI experiment',
    sweep: {
      name: textAt(data, 'experimentName'),
      ...search,
      optuna: method === 'optuna' ? { sampler: 'NSGAIISampler' } : undefined,
      metric: { name: 'default', goal: mode === 'minimize' ? 'minimize' : 'maximize' },
      command: command === undefined ? undefined : [...parseArgsStringToArgv(command), '${args}'],
      parameters,
      run_cap: method === 'grid' || method === 'pbt' ? undefined : total,
      concurrency: numberAt(data, 'trialConcurrency'),
      timeout: time,
      resources: gpus === undefined ? undefined : { gpu: gpus === 0 ? false : gpus },
      early_terminate: isMedian ? { type: 'median' } : undefined,
    },
    notes,
  };
}

function spaceOf(space: unknown, notes: string[], prefix: string): Record<string, ParameterDraft> {
  if (!isRecord(space)) return {};
  return Object.fromEntries(
    Object.entries(space).map(([name, entry]) => [name, parameterOf(`${prefix}${name}`, entry, notes)]),
  );
}

function parameterOf(name: string, entry: unknown, notes: string[]): ParameterDraft {
  const type = textAt(entry, '_type');
  const given = listAt(entry, '_value');
  const [first = 0, second = 1, third] = given.map(Number);
  switch (type) {
    case 'choice':
      if (given.some((value) => isRecord(value) && '_name' in value)) {
        notes.push(
          `the choices of parameter ${name} have parameters of their own, which are left out: add them with \`when\`.`,
        );
        return { values: given.map((value) => (isRecord(value) && '_name' in value ? value._name : value)) };
      }
      return { values: given };
    case 'randint':
      return { distribution: 'int_uniform', min: first, max: second - 1 };
    case 'uniform':
      return { distribution: 'uniform', min: first, max: second };
    case 'quniform':
      return { distribution: 'q_uniform', min: first, max: second, q: third };
    case 'loguniform':
      return { distribution: 'log_uniform_values', min: first, max: second };
    case 'qloguniform':
      return { distribution: 'q_log_uniform_values', min: first, max: second, q: third };
    case 'normal':
      return { distribution: 'normal', mu: first, sigma: second };
    case 'qnormal':
      return { distribution: 'q_normal', mu: first, sigma: second, q: third };
    case 'lognormal':
      return { distribution: 'log_normal', mu: first, sigma: second };
    case 'qlognormal':
      return { distribution: 'q_log_normal', mu: first, sigma: second, q: third };
    default:
      notes.push(`parameter ${name} has the unknown type ${type}.`);
      return { value: null };
  }
}
