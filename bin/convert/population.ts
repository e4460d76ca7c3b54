/** Converts the settings of population based training in Katib and NNI to `method: pbt`. */
import { quantileCount } from '../../coordinator/early-stop/population.ts';
import { MAX_POPULATION } from '../../coordinator/sweepfile/population-schema.ts';
import { isRecord, listAt, numberAt, type ParameterDraft, recordAt, type SweepDraft, textAt } from './converted.ts';

type Parameters = Readonly<Record<string, ParameterDraft>>;

/**
 * The keys of a sweep file that define the converted population. The method is random if no parameter can be explored.
 */
export type PopulationDraft = Pick<SweepDraft, 'method' | 'population' | 'pbt'>;

/**
 * Converts the settings of Katib's algorithm pbt (github.com/kubeflow/katib, pkg/suggestion/v1beta1/pbt/service.py).
 * @param spec the `spec` of the Experiment
 */
export function katibPopulation(spec: unknown, parameters: Parameters, notes: string[]): PopulationDraft {
  const settings = Object.fromEntries(
    listAt(recordAt(spec, 'algorithm'), 'algorithmSettings').map((entry) => [
      textAt(entry, 'name') ?? '',
      isRecord(entry) ? entry.value : undefined,
    ]),
  );
  const named = (name: string, example: number) => {
    const value = numberAt(settings, name);
    if (value !== undefined) return value;
    notes.push(`the file has no ${name}, which Katib requires; ${example} is used, as in Katib's own example.`);
    return example;
  };
  const size = named('n_population', 40);
  const share = named('truncation_threshold', 0.2);
  const resample = numberAt(settings, 'resample_probability');
  if (resample !== undefined) {
    notes.push(
      'Katib leaves a parameter unchanged unless it is resampled; trawl multiplies it by one of the factors of perturb.',
    );
  }
  return populationOf({ size, share, resample: resample ?? 0, total: numberAt(spec, 'maxTrialCount') }, parameters, {
    notes,
    checkpoints: "Katib's suggestion_trial_dir",
    totalKey: 'maxTrialCount',
  });
}

/**
 * Converts the arguments of NNI's PBTTuner (github.com/microsoft/nni, nni/algorithms/hpo/pbt_tuner.py).
 * @param classArgs the arguments of the tuner
 * @param total the value of `maxTrialNumber`
 */
export function nniPopulation(
  classArgs: unknown,
  total: number | undefined,
  parameters: Parameters,
  notes: string[],
): PopulationDraft {
  const given = numberAt(classArgs, 'population_size');
  if (given === undefined) notes.push("the file has no population_size; 10 is used, which is NNI's default.");
  const factor = numberAt(classArgs, 'factor') ?? 0.2;
  const perturb = factor > 0 && factor < 1 ? [rounded(1 - factor), rounded(1 + factor)] : undefined;
  notes.push(
    perturb === undefined
      ? `factor ${factor} has no equivalent; the default of perturb is used.`
      : `NNI adds or subtracts ${factor} times the range of a parameter; trawl multiplies the value by ${perturb.join(' or ')}.`,
  );
  const settings = {
    size: given ?? 10,
    share: numberAt(classArgs, 'fraction') ?? 0.2,
    resample: numberAt(classArgs, 'resample_probability') ?? 0.25,
    perturb,
    total,
  };
  const texts = { notes, checkpoints: "NNI's load_checkpoint_dir and save_checkpoint_dir", totalKey: 'maxTrialNumber' };
  return populationOf(settings, parameters, texts);
}

interface Settings {
  readonly size: number;
  /** The fraction of the members that is replaced in each generation. */
  readonly share: number;
  readonly resample: number;
  readonly perturb?: readonly number[] | undefined;
  /** The maximum number of trials in Katib or NNI, where each generation of each member is a trial. */
  readonly total: number | undefined;
}

interface Texts {
  readonly notes: string[];
  /** The names of the settings for checkpoint folders in Katib or NNI, for the notes. */
  readonly checkpoints: string;
  readonly totalKey: string;
}

function populationOf(settings: Settings, parameters: Parameters, texts: Texts): PopulationDraft {
  const { notes, checkpoints, totalKey } = texts;
  const { size, share, resample, perturb, total } = settings;
  const explore = Object.entries(parameters).flatMap(([name, draft]) => (isExplorable(draft) ? [name] : []));
  if (explore.length === 0) {
    notes.push('no parameter has several values, or min and max, as pbt requires; random is used.');
    return { method: 'random' };
  }
  const population = Math.min(MAX_POPULATION, Math.max(2, Math.round(size)));
  if (population !== size) notes.push(`population ${size} is not from 2 to ${MAX_POPULATION}; ${population} is used.`);
  const quantile = quantileOf(share, population);
  if (quantile !== share) notes.push(`a share of ${share} of the members cannot be replaced; ${quantile} is used.`);
  const probability = Math.min(1, Math.max(0, resample));
  if (probability !== resample)
    notes.push(`resample_probability ${resample} is not from 0 to 1; ${probability} is used.`);
  notes.push(
    'interval is the number of epochs in a generation. In the original file, each generation is a separate trial: replace the interval of 1 with the number of epochs of such a trial.',
    `trawl runs the program once for all generations. The program must load TRAWL_CHECKPOINT, and report a checkpoint at the end of each interval, instead of using ${checkpoints} (docs/pbt.md).`,
  );
  if (total !== undefined) {
    const generations = Math.max(1, Math.ceil(total / population));
    notes.push(
      `${totalKey} ${total} counts each generation of a member: the program must train for ${generations} × interval epochs.`,
    );
  }
  return {
    method: 'pbt',
    population,
    pbt: { interval: 1, quantile, ...(perturb && { perturb }), resample: probability, explore },
  };
}

/** Returns the nearest quantile that trawl accepts: at most 0.5, and large enough to replace at least one member. */
function quantileOf(share: number, population: number): number {
  const limited = Math.min(0.5, Math.max(0, share));
  return quantileCount(population, limited) >= 1 ? limited : Math.ceil(100 / population) / 100;
}

function isExplorable({ values, min, max }: ParameterDraft): boolean {
  if (Array.isArray(values)) return values.length > 1 && values.every((value) => typeof value !== 'object');
  return typeof min === 'number' && typeof max === 'number' && min < max;
}

const rounded = (value: number): number => Number(value.toPrecision(12));
