/** The trainer's parameters in typed form. proto/trainers.ts defines their meaning and limits. */
import { type Parameters, TRAINERS } from '../../../proto/trainers.ts';
import { type DatasetName, datasetNamed } from '../../data/catalog.ts';
import { TrainingError } from '../trainer.ts';
import type { Depth } from './model.ts';

/** Trials from earlier versions of the coordinator have no `test_size`, and are evaluated on all test images. */
const ALL_TEST_IMAGES = TRAINERS.autoencoder.parameters.test_size.default;

export interface Settings {
  readonly dataset: DatasetName;
  readonly depth: Depth;
  readonly latentDim: number;
  readonly lambdaL1: number;
  readonly weightDecay: number;
  readonly noiseStd: number;
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly trainSize: number;
  readonly testSize: number;
  readonly l1InGradient: boolean;
}

/**
 * @throws {TrainingError} `rejected` for a value that the coordinator's check accepts, but this trainer does not
 * support
 */
export function settingsOf(parameters: Parameters): Settings {
  const number = (name: string): number => {
    const value = parameters[name];
    if (typeof value !== 'number') throw rejected(name, value, 'a number');
    return value;
  };
  const { dataset, depth, l1_in_gradient: l1InGradient } = parameters;
  const known = datasetNamed(String(dataset));
  if (known === undefined) throw rejected('dataset', dataset, 'a known data set');
  if (depth !== 3 && depth !== 5) throw rejected('depth', depth, '3 or 5');
  if (typeof l1InGradient !== 'boolean') throw rejected('l1_in_gradient', l1InGradient, 'true or false');
  return {
    dataset: known.name,
    depth,
    latentDim: number('latent_dim'),
    lambdaL1: number('lambda_l1'),
    weightDecay: number('weight_decay'),
    noiseStd: number('noise_std'),
    epochs: number('epochs'),
    batchSize: number('batch_size'),
    learningRate: number('learning_rate'),
    trainSize: number('train_size'),
    testSize: parameters.test_size === undefined ? ALL_TEST_IMAGES : number('test_size'),
    l1InGradient,
  };
}

function rejected(name: string, value: unknown, expected: string): TrainingError {
  return new TrainingError('rejected', `autoencoder: ${name} is ${JSON.stringify(value)}, expected ${expected}`);
}
