/** A checkpoint: all that the epochs to come depend on, as a safetensors file. */

import { readFile } from 'node:fs/promises';
import {
  readSafetensors,
  type SafeArrays,
  type SafeTensor,
  type SafetensorsFile,
  writeSafetensors,
} from '../../../lib/files/safetensors.ts';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { BadInputError } from '../../../proto/errors.ts';
import type { Parameters } from '../../../proto/trainers.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import type { Moments } from './adam-rule.ts';
import type { LearnerState } from './learner.ts';
import { ROW } from './model.ts';

/** Raised whenever an older trainer would misread what a newer one writes, or the other way round. */
const FORMAT = '2';
/** Words of a generator's state. */
const RANDOM_WORDS = 4;

export interface Progress {
  /** The last one that is done. */
  readonly epoch: number;
  readonly learner: LearnerState;
  /** Where the generator of the shuffles stands. */
  readonly shuffle: Int32Array;
  /** The training images as the epoch went through them: the next shuffle starts from there. */
  readonly order: Int32Array;
}

/** Whose checkpoint it is. */
export type Trial = Pick<TrainingRun, 'seed' | 'parameters'>;

/** The checkpoint's file. Each matrix of Adam's is `[rows, ROW]`; `moments` says how Adam's are scaled. */
export function writeCheckpoint({ seed, parameters }: Trial, { epoch, learner, shuffle, order }: Progress): Uint8Array {
  const { adam, noise } = learner;
  const matrix = (data: Float32Array): SafeTensor => ({ dtype: 'F32', shape: [data.length / ROW, ROW], data });
  const vector = (data: Int32Array): SafeTensor => ({ dtype: 'I32', shape: [data.length], data });
  return writeSafetensors({
    tensors: {
      parameters: matrix(adam.parameters),
      'adam.first': matrix(adam.first),
      'adam.second': matrix(adam.second),
      'random.shuffle': vector(shuffle),
      'random.train_noise': vector(noise),
      order: vector(order),
    },
    metadata: {
      trainer: 'autoencoder',
      format: FORMAT,
      epoch: `${epoch}`,
      steps: `${adam.steps}`,
      moments: adam.moments,
      seed: `${seed}`,
      parameters: JSON.stringify(parameters),
    },
  });
}

/**
 * The state that a run goes on from.
 * @param rows of the network's flat parameter matrix.
 * @param trainSize training images in use.
 * @returns undefined for the checkpoint of a trawl that wrote another format: the trial begins at its beginning
 * @throws {TrainingError} `preflight` when the file is not a checkpoint of this trial after that epoch, saying why.
 */
export async function readCheckpoint(
  resume: NonNullable<TrainingRun['resume']>,
  trial: Trial,
  { rows, trainSize }: { readonly rows: number; readonly trainSize: number },
): Promise<Progress | undefined> {
  try {
    const file = readSafetensors(await readFile(resume.path));
    checkOrigin(file.metadata, trial, resume.epoch);
    if (file.metadata.format !== FORMAT) return undefined;
    const matrix = (name: string) => tensorOf(file, name, 'F32', [rows, ROW]);
    return {
      epoch: resume.epoch,
      learner: {
        adam: {
          parameters: matrix('parameters'),
          first: matrix('adam.first'),
          second: matrix('adam.second'),
          steps: stepsOf(file.metadata),
          moments: momentsOf(file.metadata),
        },
        noise: tensorOf(file, 'random.train_noise', 'I32', [RANDOM_WORDS]),
      },
      shuffle: tensorOf(file, 'random.shuffle', 'I32', [RANDOM_WORDS]),
      order: tensorOf(file, 'order', 'I32', [trainSize]),
    };
  } catch (error) {
    const message = errorMessage(error);
    throw new TrainingError('preflight', `cannot go on from checkpoint ${resume.path}: ${message}`, { cause: error });
  }
}

function checkOrigin(metadata: SafetensorsFile['metadata'], { seed, parameters }: Trial, epoch: number): void {
  const expected = { trainer: 'autoencoder', epoch: `${epoch}`, seed: `${seed}` };
  for (const [name, value] of Object.entries(expected)) {
    const found = metadata[name];
    if (found !== value) throw new BadInputError(`its ${name} is ${found ?? 'missing'}, expected ${value}`);
  }
  const found = parametersIn(metadata.parameters ?? 'null');
  for (const name of new Set([...Object.keys(parameters), ...Object.keys(found)])) {
    const [has, wants] = [found[name], parameters[name]];
    if (has !== wants) throw new BadInputError(`its ${name} is ${has ?? 'missing'}, expected ${wants ?? 'none'}`);
  }
}

function parametersIn(json: string): Parameters {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) throw new BadInputError(`its parameters are ${json}`);
  return value as Parameters;
}

function stepsOf({ steps }: SafetensorsFile['metadata']): number {
  const value = Number(steps);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new BadInputError(`its steps are ${steps ?? 'missing'}, expected a whole number from 1`);
  return value;
}

function momentsOf({ moments }: SafetensorsFile['metadata']): Moments {
  if (moments === 'means' || moments === 'sums') return moments;
  throw new BadInputError(`its moments are ${moments ?? 'missing'}, expected means or sums`);
}

function tensorOf<D extends keyof SafeArrays>(
  { tensors }: SafetensorsFile,
  name: string,
  dtype: D,
  shape: readonly number[],
): SafeArrays[D] {
  const tensor = tensors[name];
  const found = tensor === undefined ? 'missing' : `${tensor.dtype} [${tensor.shape}]`;
  if (found !== `${dtype} [${shape}]`) throw new BadInputError(`its ${name} is ${found}, expected ${dtype} [${shape}]`);
  return tensor?.data as SafeArrays[D];
}
