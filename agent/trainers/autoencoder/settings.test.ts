import { expect, test } from 'vitest';
import { TRAINERS, withDefaults } from '../../../proto/trainers.ts';
import { settingsOf } from './settings.ts';

test('the default batch size, learning rate, epochs and data set are those of the study', () => {
  expect(settingsOf(withDefaults(TRAINERS.autoencoder, {}))).toEqual({
    dataset: 'mnist',
    depth: 3,
    latentDim: 30,
    lambdaL1: 0,
    weightDecay: 0,
    noiseStd: 0,
    epochs: 10,
    batchSize: 64,
    learningRate: 0.001,
    trainSize: 60_000,
    testSize: 10_000,
    l1InGradient: true,
  });
});

test('each parameter sets the field of the same name', () => {
  const given = {
    dataset: 'fashion-mnist',
    depth: 5,
    latent_dim: 100,
    lambda_l1: 1e-7,
    weight_decay: 2e-7,
    noise_std: 0.5,
    epochs: 13,
    batch_size: 32,
    learning_rate: 0.01,
    train_size: 640,
    test_size: 200,
    l1_in_gradient: false,
  };
  expect(settingsOf(given)).toEqual({
    dataset: 'fashion-mnist',
    depth: 5,
    latentDim: 100,
    lambdaL1: 1e-7,
    weightDecay: 2e-7,
    noiseStd: 0.5,
    epochs: 13,
    batchSize: 32,
    learningRate: 0.01,
    trainSize: 640,
    testSize: 200,
    l1InGradient: false,
  });
});

test('a trial of an earlier version, without test_size, uses all test images', () => {
  const { test_size: _, ...earlier } = withDefaults(TRAINERS.autoencoder, {});
  expect(settingsOf(earlier).testSize).toBe(10_000);
});

test.each([
  ['dataset', 'cifar'],
  ['depth', 4],
  ['latent_dim', '15'],
  ['l1_in_gradient', 1],
])('%s %o is rejected, and the error names the parameter', (name, value) => {
  const parameters = withDefaults(TRAINERS.autoencoder, { [name]: value });
  expect(() => settingsOf(parameters)).toThrow(`autoencoder: ${name} is ${JSON.stringify(value)}`);
});
