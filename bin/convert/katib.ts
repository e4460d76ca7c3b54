/** Converts Katib's Experiment (Kubernetes, kubeflow.org/v1beta1). */
import {
  type Converted,
  isRecord,
  listAt,
  numberAt,
  type ParameterDraft,
  recordAt,
  scalar,
  textAt,
} from './converted.ts';
import { katibPopulation } from './population.ts';

const METHODS: Readonly<Record<string, Converted['sweep']['method']>> = {
  grid: 'grid',
  random: 'random',
  tpe: 'tpe',
  'multivariate-tpe': 'tpe',
  bayesianoptimization: 'tpe',
  sobol: 'sobol',
  hyperband: 'random',
  cmaes: 'optuna',
  pbt: 'pbt',
};

/** Matches a metric in a line of output, as Katib's default filter does. */
const DEFAULT_FORMAT = '(?<name>[\\w|-]+)\\s*=\\s*(?<value>[+-]?\\d*(\\.\\d+)?([Ee][+-]?\\d+)?)';

export const isKatib = (data: unknown): boolean =>
  isRecord(data) && data.kind === 'Experiment' && `${data.apiVersion}`.startsWith('kubeflow.org/');

export function fromKatib(data: unknown): Converted {
  const notes: string[] = [];
  const spec = recordAt(data, 'spec');
  const objective = recordAt(spec, 'objective');
  const metricName = textAt(objective, 'objectiveMetricName');
  const target = numberAt(objective, 'goal');
  const algorithm = textAt(recordAt(spec, 'algorithm'), 'algorithmName');
  const known = algorithm === undefined ? 'random' : METHODS[algorithm];
  if (algorithm !== undefined && known === undefined)
    notes.push(`algorithm ${algorithm} has no equivalent; random is used.`);
  const hasSettings = listAt(recordAt(spec, 'algorithm'), 'algorithmSettings').length > 0;
  if (hasSettings && known !== 'pbt') notes.push('algorithmSettings are omitted.');
  const parameters = Object.fromEntries(
    listAt(spec, 'parameters').map((parameter) => [
      textAt(parameter, 'name') ?? '',
      parameterOf(parameter, known, notes),
    ]),
  );
  const search = known === 'pbt' ? katibPopulation(spec, parameters, notes) : { method: known ?? ('random' as const) };
  const { method } = search;
  const additional = listAt(objective, 'additionalMetricNames');
  if (additional.length > 0)
    notes.push(`additionalMetricNames (${additional.join(', ')}) are omitted: all metrics are recorded.`);
  const stop = textAt(recordAt(spec, 'earlyStopping'), 'algorithmName');
  if (stop !== undefined && method === 'pbt')
    notes.push(`early stopping ${stop} is omitted: pbt stops members itself.`);
  else if (stop !== undefined && stop !== 'medianstop') notes.push(`early stopping ${stop} has no equivalent.`);
  const early =
    method === 'pbt'
      ? undefined
      : stop === 'medianstop'
        ? { type: 'median' }
        : algorithm === 'hyperband'
          ? { type: 'hyperband', min_iter: 1 }
          : undefined;
  return {
    from: 'a Katib Experiment',
    sweep: {
      name: textAt(recordAt(data, 'metadata'), 'name'),
      ...search,
      optuna: method === 'optuna' ? { sampler: 'CmaEsSampler' } : undefined,
      metric:
        metricName === undefined
          ? undefined
          : {
              name: metricName,
              goal: textAt(objective, 'type') === 'maximize' ? 'maximize' : 'minimize',
              ...(target === undefined ? {} : { target }),
            },
      command: commandOf(spec, notes),
      parameters,
      run_cap: method === 'grid' || method === 'pbt' ? undefined : numberAt(spec, 'maxTrialCount'),
      concurrency: numberAt(spec, 'parallelTrialCount'),
      max_failed: numberAt(spec, 'maxFailedTrialCount'),
      resources: resourcesOf(spec),
      early_terminate: early,
      report: reportOf(spec, notes),
    },
    notes,
  };
}

function parameterOf(parameter: unknown, method: Converted['sweep']['method'], notes: string[]): ParameterDraft {
  const space = recordAt(parameter, 'feasibleSpace');
  const type = textAt(parameter, 'parameterType');
  const list = listAt(space, 'list').map((value) =>
    type === 'categorical' && typeof value === 'string' ? value : scalar(value),
  );
  if (list.length > 0) return { values: list };
  const [min, max, step] = ['min', 'max', 'step'].map((key) => numberAt(space, key));
  if (min === undefined || max === undefined) {
    notes.push(`parameter ${textAt(parameter, 'name')} has neither a list nor min and max.`);
    return { value: null };
  }
  if (step !== undefined && method !== 'pbt') return { min, max, step };
  // With pbt, Katib uses the step only for the initial values. A child's value is 0.8 or 1.2 times the parent's value.
  if (step !== undefined) notes.push(`the step of parameter ${textAt(parameter, 'name')} is omitted.`);
  if (textAt(space, 'distribution')?.toLowerCase() === 'loguniform')
    return { distribution: 'log_uniform_values', min, max };
  if (type === 'int') return { distribution: 'int_uniform', min, max };
  if (method === 'grid') notes.push(`parameter ${textAt(parameter, 'name')} needs a step for a grid.`);
  return { distribution: 'uniform', min, max };
}

function commandOf(spec: unknown, notes: string[]): string[] | undefined {
  const template = recordAt(spec, 'trialTemplate');
  const references = new Map(
    listAt(template, 'trialParameters').map((entry) => [textAt(entry, 'name') ?? '', textAt(entry, 'reference') ?? '']),
  );
  const container = containersOf(recordAt(template, 'trialSpec'))[0];
  if (container === undefined) {
    notes.push('the trial template has no container; write the command by hand.');
    return undefined;
  }
  notes.push(`container image ${textAt(container, 'image') ?? ''} is omitted: agents run programs, not containers.`);
  return [...listAt(container, 'command'), ...listAt(container, 'args')].map((item) =>
    `${item}`.replaceAll(
      /\$\{trialParameters\.([^}]+)\}/g,
      (_, name: string) => `\${param:${references.get(name) ?? name}}`,
    ),
  );
}

function containersOf(trialSpec: unknown): unknown[] {
  const spec = recordAt(trialSpec, 'spec');
  const direct = listAt(recordAt(recordAt(spec, 'template'), 'spec'), 'containers');
  if (direct.length > 0) return direct;
  for (const [key, replicas] of Object.entries(spec)) {
    if (!key.endsWith('ReplicaSpecs') || !isRecord(replicas)) continue;
    for (const replica of Object.values(replicas)) {
      const containers = listAt(recordAt(recordAt(replica, 'template'), 'spec'), 'containers');
      if (containers.length > 0) return containers;
    }
  }
  return [];
}

function resourcesOf(spec: unknown): Record<string, unknown> | undefined {
  const container = containersOf(recordAt(recordAt(spec, 'trialTemplate'), 'trialSpec'))[0];
  const gpus = numberAt(recordAt(recordAt(container, 'resources'), 'limits'), 'nvidia.com/gpu');
  return gpus === undefined ? undefined : { gpu: gpus };
}

/** The path of the file with the metrics if a metrics collector of kind `File` names no path. */
const DEFAULT_FILE = '/var/log/katib/metrics.log';

function reportOf(spec: unknown, notes: string[]): unknown {
  const collector = recordAt(spec, 'metricsCollectorSpec');
  const kind = textAt(recordAt(collector, 'collector'), 'kind') ?? 'StdOut';
  const path = textAt(recordAt(recordAt(collector, 'source'), 'fileSystemPath'), 'path');
  const formats = listAt(recordAt(recordAt(collector, 'source'), 'filter'), 'metricsFormat');
  if (kind === 'TensorFlowEvent') return { tfevents: path ?? 'logs' };
  if (kind !== 'StdOut' && kind !== 'File') notes.push(`metrics collector ${kind} has no equivalent.`);
  if (kind === 'File')
    notes.push(`metrics in the file ${path ?? DEFAULT_FILE}: print them to stdout, or append them to TRAWL_METRICS.`);
  const [format] = formats;
  return { regex: typeof format === 'string' ? withEscapedBraces(withGroupNames(format)) : DEFAULT_FORMAT };
}

/**
 * Escapes braces that are not part of a quantifier. Go's regular expressions accept such braces, but JavaScript's
 * regular expressions with the flag `u` reject them.
 */
function withEscapedBraces(format: string): string {
  return format.replaceAll(/\\.|\{\d+(?:,\d*)?\}|\[(?:\\.|[^\]\\])*\]|[{}]/g, (found) =>
    found === '{' || found === '}' ? `\\${found}` : found,
  );
}

function withGroupNames(format: string): string {
  const names = ['?<name>', '?<value>'];
  return format.replaceAll(/\\.|\((?!\?)/g, (found) => (found === '(' ? `(${names.shift() ?? '?:'}` : found));
}
