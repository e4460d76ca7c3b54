import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { chooseTestBackend } from '../backend.fixture.ts';
import { Adam, type AdamState, type Moments } from './adam.ts';

beforeAll(async () => {
  await chooseTestBackend();
});

const SHAPE: [number, number, number] = [1, 2, 4];
const SETTINGS = { learningRate: 0.01, weightDecay: 0.1, l1: 0.01 };
const values = (seed: number) => tf.randomNormal<tf.Rank.R3>(SHAPE, 0, 1, 'float32', seed);

function newAdam(members = [SETTINGS]): Adam {
  const initial = tf.tidy(() =>
    tf.concat3d(
      members.map((_, at) => values(at + 1)),
      0,
    ),
  );
  return new Adam(initial, members);
}

function step(adam: Adam, seed: number): void {
  tf.tidy(() => adam.step(tf.tile(values(seed), [adam.parameters.shape[0], 1, 1])));
}

function rescaled(state: AdamState): AdamState {
  const moments: Moments = state.moments === 'sums' ? 'means' : 'sums';
  const scale = (factor: number) => (x: number) => (moments === 'means' ? x * factor : x / factor);
  return { ...state, moments, first: state.first.map(scale(0.1)), second: state.second.map(scale(0.001)) };
}

test('a restored optimizer takes the same next step as the original, up to rounding errors if the moments were rescaled', async () => {
  const adam = newAdam();
  for (const seed of [11, 12]) step(adam, seed);
  const state = await adam.save(0);
  const [same, other] = [newAdam(), newAdam()];
  same.restore(0, state);
  other.restore(0, rescaled(state));
  for (const each of [adam, same, other]) step(each, 13);
  const expected = await adam.save(0);
  expect(await same.save(0)).toEqual(expected);
  const found = await other.save(0);
  for (const name of ['parameters', 'first', 'second'] as const)
    for (const [i, value] of found[name].entries()) expect(value / (expected[name][i] ?? 0)).toBeCloseTo(1, 5);
  for (const each of [adam, same, other]) each.dispose();
});

test('members of a pack that differ in learning rate and number of steps are updated like single trials', async () => {
  const fast = { ...SETTINGS, learningRate: 0.1 };
  const pack = newAdam([SETTINGS, fast]);
  const alone = new Adam(values(2), [fast]);
  for (const seed of [11, 12]) step(pack, seed);
  step(alone, 11);
  pack.restore(1, await alone.save(0));
  for (const each of [pack, alone]) step(each, 13);
  const expected = await alone.save(0);
  const found = await pack.save(1);
  expect(found.steps).toBe(2);
  for (const [i, value] of found.parameters.entries()) expect(value).toBeCloseTo(expected.parameters[i] ?? 0, 6);
  for (const each of [pack, alone]) each.dispose();
});

test('a step does not change values that another tensor still uses', async () => {
  const adam = newAdam();
  const held = tf.reshape(adam.parameters, [-1]);
  const before = await held.data();
  step(adam, 11);
  expect(await held.data()).toEqual(before);
  expect(await adam.parameters.data()).not.toEqual(before);
  held.dispose();
  adam.dispose();
});

test('optimizer steps leak no tensor', async () => {
  const before = tf.memory().numTensors;
  const adam = newAdam();
  step(adam, 11);
  const during = tf.memory().numTensors;
  for (let i = 0; i < 20; i++) step(adam, i);
  expect(tf.memory().numTensors).toBe(during);
  adam.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
