/**
 * Reads and writes checkpoints as safetensors files. A checkpoint contains the complete state that a trial needs to
 * continue with the next epoch.
 */

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
import { canChangeOnResume, type Parameters } from '../../../proto/trainers.ts';
import { type ResumePoint, TrainingError, type TrainingRun } from '../trainer.ts';
import type { Moments } from './adam.ts';
import type { LearnerState } from './learner.ts';
import { ROW } from './model.ts';

/**
 * The version is incremented when an older trainer would misread newer checkpoints, or a newer trainer would misread
 * older checkpoints.
 */
const FORMAT = '2';
const RANDOM_WORDS = 4;

export interface Progress {
  /** The last completed epoch. */
  readonly epoch: number;
  readonly learner: LearnerState;
  /** The state of the random number generator that shuffles the images. */
  readonly shuffle: Int32Array;
  /** The order of the training images in the last completed epoch. The next shuffle starts from this order. */
  readonly order: Int32Array;
}

/** Identifies the trial of a checkpoint. */
export type TrialIdentity = Pick<TrainingRun, 'seed' | 'parameters'>;

/**
 * Writes a checkpoint. Adam's matrices are `[rows, ROW]`; the metadata entry `moments` names the scaling of Adam's
 * moments.
 */
export function writeCheckpoint(
  { seed, parameters }: TrialIdentity,
  { epoch, learner, shuffle, order }: Progress,
): Uint8Array {
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
 * Reads the checkpoint that a run resumes from.
 * @param rows the number of rows of the network's flat parameter matrix
 * @param trainSize the number of training images in use
 * @returns undefined for a checkpoint in the format of another version; the trial then starts from the first epoch
 * @throws {TrainingError} `preflight` when the file is not a checkpoint of the expected epoch, or is the checkpoint of
 * a trial that is neither this trial nor its parent
 */
export async function readCheckpoint(
  resume: NonNullable<TrainingRun['resume']>,
  trial: TrialIdentity,
  { rows, trainSize }: { readonly rows: number; readonly trainSize: number },
): Promise<Progress | undefined> {
  try {
    const file = readSafetensors(await readFile(resume.path));
    checkOrigin(file.metadata, trial, resume);
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
    throw new TrainingError('preflight', `cannot resume from checkpoint ${resume.path}: ${message}`, { cause: error });
  }
}

function checkOrigin(
  metadata: SafetensorsFile['metadata'],
  { seed, parameters }: TrialIdentity,
  { epoch, inherited = false }: ResumePoint,
): void {
  const expected = { trainer: 'autoencoder', epoch: `${epoch}`, ...(inherited ? {} : { seed: `${seed}` }) };
  for (const [name, value] of Object.entries(expected)) {
    const found = metadata[name];
    if (found !== value) throw new BadInputError(`${name} is ${found ?? 'missing'}, expected ${value}`);
  }
  const found = parametersIn(metadata.parameters ?? 'null');
  for (const name of new Set([...Object.keys(parameters), ...Object.keys(found)])) {
    if (inherited && canChangeOnResume('autoencoder', name)) continue;
    const [has, wants] = [found[name], parameters[name]];
    if (has !== wants) throw new BadInputError(`${name} is ${has ?? 'missing'}, expected ${wants ?? 'none'}`);
  }
}

function parametersIn(json: string): Parameters {
  const value: unknown = JSON.parse(json);
  if (typeof value !== 'object' || value === null) throw new BadInputError(`parameters are ${json}`);
  return value as Parameters;
}

function stepsOf({ steps }: SafetensorsFile['metadata']): number {
  const value = Number(steps);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new BadInputError(`steps are ${steps ?? 'missing'}, expected a positive integer`);
  return value;
}

function momentsOf({ moments }: SafetensorsFile['metadata']): Moments {
  if (moments === 'means' || moments === 'sums') return moments;
  throw new BadInputError(`moments are ${moments ?? 'missing'}, expected means or sums`);
}

function tensorOf<D extends keyof SafeArrays>(
  { tensors }: SafetensorsFile,
  name: string,
  dtype: D,
  shape: readonly number[],
): SafeArrays[D] {
  const tensor = tensors[name];
  const found = tensor === undefined ? 'missing' : `${tensor.dtype} [${tensor.shape}]`;
  if (found !== `${dtype} [${shape}]`) throw new BadInputError(`${name} is ${found}, expected ${dtype} [${shape}]`);
  return tensor?.data as SafeArrays[D];
}
