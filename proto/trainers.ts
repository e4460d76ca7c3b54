/**
 * Declares the parameters of the built-in trainers. The coordinator validates sweep files with these declarations. The
 * trainers themselves are in agent/trainers/.
 */

import type { ParameterValue } from './values.ts';

export type { ParameterValue } from './values.ts';
export type Parameters = Readonly<Record<string, ParameterValue>>;

export type ParameterRule =
  | { readonly kind: 'integer'; readonly min: number; readonly max: number }
  | { readonly kind: 'number'; readonly min: number; readonly max: number }
  | { readonly kind: 'choice'; readonly values: readonly ParameterValue[] }
  | { readonly kind: 'flag' };

export interface ParameterSpec {
  readonly rule: ParameterRule;
  readonly default: ParameterValue;
  /** A one-line description for `--help`, error messages and the JSON Schema. */
  readonly about: string;
  /** Whether training that resumes from a checkpoint can use another value of the parameter. Default: false */
  readonly changesOnResume?: boolean;
}

export interface TrainerSpec {
  readonly about: string;
  readonly parameters: Readonly<Record<string, ParameterSpec>>;
  /** Whether the trainer accepts parameters that are not listed. The values of these parameters are not checked. */
  readonly open: boolean;
  /**
   * The metrics that a report can have. The first metric is the default objective. If the list is empty, the trainer
   * can report any metrics, and the default objective is the first metric that appears in two reports of a trial.
   */
  readonly metrics: readonly string[];
  /** Whether the trainer computes on the TensorFlow.js backend of its worker, which uses at most one GPU. */
  readonly usesBackend: boolean;
  /** The parameters that must be equal in all trials of a pack. Undefined if the trainer cannot pack trials. */
  readonly packsBy: readonly string[] | undefined;
}

const integer = (min: number, max: number): ParameterRule => ({ kind: 'integer', min, max });
const number = (min: number, max: number): ParameterRule => ({ kind: 'number', min, max });

export const TRAINERS = {
  autoencoder: {
    about: 'A dense autoencoder on 28x28 images (MNIST, Fashion-MNIST), elastic net, optional denoising.',
    open: false,
    metrics: ['test_loss', 'train_loss', 'train_total_loss', 'last_batch_loss', 'psnr', 'psnr_peak1', 'psnr_input'],
    usesBackend: true,
    packsBy: ['dataset', 'depth', 'batch_size', 'train_size', 'test_size'],
    parameters: {
      dataset: { rule: { kind: 'choice', values: ['mnist', 'fashion-mnist'] }, default: 'mnist', about: 'data set' },
      depth: {
        rule: { kind: 'choice', values: [3, 5] },
        default: 3,
        about: 'number of dense layers in the encoder; the decoder has as many',
      },
      latent_dim: {
        rule: integer(1, 784),
        default: 30,
        about: 'number of values in the code layer, between encoder and decoder',
      },
      lambda_l1: {
        rule: number(0, 1e6),
        default: 0,
        about: 'weight of the L1 term, the sum of |parameter|, in the loss',
        changesOnResume: true,
      },
      weight_decay: {
        rule: number(0, 1e6),
        default: 0,
        about: "L2 in Adam's coupled form: gradient += weight_decay * parameter",
        changesOnResume: true,
      },
      noise_std: {
        rule: number(0, 10),
        default: 0,
        about: 'standard deviation of the noise on the input; 0: no noise',
        changesOnResume: true,
      },
      epochs: { rule: integer(1, 100_000), default: 10, about: 'passes over the training images' },
      batch_size: { rule: integer(1, 60_000), default: 64, about: 'images per step' },
      learning_rate: { rule: number(0, 10), default: 1e-3, about: "Adam's step size", changesOnResume: true },
      train_size: {
        rule: integer(1, 60_000),
        default: 60_000,
        about: 'number of training images, from the start of the data set',
      },
      test_size: {
        rule: integer(100, 10_000),
        default: 10_000,
        about: 'number of test images, from the start of the data set, for short runs',
      },
      l1_in_gradient: {
        rule: { kind: 'flag' },
        default: true,
        about: 'false: the L1 term is reported but not optimized',
        changesOnResume: true,
      },
    },
  },
  noop: {
    about: 'No training, for benchmarks and tests. test_loss is computed from the parameters.',
    open: true,
    metrics: ['test_loss'],
    usesBackend: false,
    packsBy: [],
    parameters: {
      epochs: { rule: integer(1, 100_000), default: 1, about: 'number of reports to send' },
      duration_ms: { rule: number(0, 86_400_000), default: 0, about: 'duration of an epoch in milliseconds' },
    },
  },
  command: {
    about: "Runs the user's own program, in any language. By default, its metrics are lines of JSON on stdout.",
    open: true,
    metrics: [],
    usesBackend: false,
    packsBy: undefined,
    parameters: {},
  },
} as const satisfies Record<string, TrainerSpec>;

export type TrainerName = keyof typeof TRAINERS;

/** Returns the trainer of this name, or undefined if there is none. */
export function trainerSpec(name: string): TrainerSpec | undefined {
  return Object.hasOwn(TRAINERS, name) ? TRAINERS[name as TrainerName] : undefined;
}

/** Returns the given parameters, and the defaults of all other parameters of the trainer. */
export function withDefaults(trainer: TrainerSpec, given: Parameters): Parameters {
  const defaults = Object.fromEntries(Object.entries(trainer.parameters).map(([name, spec]) => [name, spec.default]));
  return { ...defaults, ...given };
}

/** Returns whether training that resumes from a checkpoint can use another value of the parameter. */
export function canChangeOnResume(trainer: string, parameter: string): boolean {
  const parameters = trainerSpec(trainer)?.parameters ?? {};
  return Object.hasOwn(parameters, parameter) && parameters[parameter]?.changesOnResume === true;
}

/** Common names of the parameter that sets a program's number of epochs. */
export const EPOCH_PARAMETERS: readonly string[] = [
  'epochs',
  'n_epochs',
  'num_epochs',
  'max_epochs',
  'num_train_epochs',
];

/**
 * Returns the index of a trial's last epoch, or undefined if it is unknown. The built-in trainers count epochs from 1.
 * A user's program may count them from 0, so for a program the index is one less than the number of epochs.
 */
export function epochsOf(trainer: string, parameters: Parameters): number | undefined {
  if (trainer === 'command') {
    const counts = EPOCH_PARAMETERS.flatMap((name) => (Object.hasOwn(parameters, name) ? [parameters[name]] : []));
    return typeof counts[0] === 'number' ? counts[0] - 1 : undefined;
  }
  const declared = trainerSpec(trainer)?.parameters.epochs;
  if (declared === undefined) return undefined;
  const number = parameters.epochs ?? declared.default;
  return typeof number === 'number' ? number : undefined;
}

/** Returns whether a slot can train several trials of the trainer together. */
export const trainsPacks = (trainer: string): boolean => trainerSpec(trainer)?.packsBy !== undefined;

/** Returns a key that is equal for trials that can form a pack, or undefined if the trial must be trained alone. */
export function packKey(trainer: string, parameters: Parameters): string | undefined {
  const names = trainerSpec(trainer)?.packsBy;
  return names && JSON.stringify([trainer, ...names.map((name) => parameters[name] ?? null)]);
}
