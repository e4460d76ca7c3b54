import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { enumerateTrials } from '../grid/enumerate.ts';
import { plan } from '../grid/plan.ts';
import { parseSweep } from './parse.ts';
import { readSweepFile } from './read.ts';

const folder = fileURLToPath(new URL('../../examples/', import.meta.url));

async function example(name: string) {
  return parseSweep(await readSweepFile(`${folder}${name}`), name);
}

test.each(readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.(ya?ml|json)$/.test(name)))(
  '%s is a sweep that can run',
  async (name) => {
    const spec = await example(name);
    expect(spec.description.length + spec.name.length).toBeGreaterThan(0);
    expect([...enumerateTrials(spec)]).toHaveLength(plan(spec).trials);
  },
);

test('the demo is eight trials on MNIST: four latent dimensions, plain and denoising', async () => {
  const trials = [...enumerateTrials(await example('mnist-demo.yaml'))];
  expect(trials.map(({ parameters }) => [parameters.latent_dim, parameters.noise_std])).toEqual([
    ...[
      [15, 0],
      [15, 0.5],
      [30, 0],
      [30, 0.5],
    ],
    ...[
      [50, 0],
      [50, 0.5],
      [100, 0],
      [100, 0.5],
    ],
  ]);
  for (const { parameters } of trials) {
    expect(parameters).toMatchObject({
      ...{ dataset: 'mnist', depth: 3, train_size: 6_000, epochs: 2, lambda_l1: 1e-5, weight_decay: 1e-5 },
      ...{ batch_size: 64, learning_rate: 1e-3, l1_in_gradient: true },
    });
  }
});

test('the example of every key counts as it says', async () => {
  expect(plan(await example('autoencoders.yaml'))).toMatchObject({
    trials: 90,
    configs: 30,
    excluded: [{ rule: 'depth=5, noise_std=0.5', count: 12 }],
    duplicates: 6,
  });
});

/** How many trials of a sweep meet each of these conditions. */
async function counted(name: string, conditions: readonly Readonly<Record<string, unknown>>[]): Promise<number[]> {
  const trials = [...enumerateTrials(await example(name))];
  return conditions.map((wanted) => {
    const meets = (parameters: Readonly<Record<string, unknown>>) =>
      Object.entries(wanted).every(([key, value]) => parameters[key] === value);
    return trials.filter(({ parameters }) => meets(parameters)).length;
  });
}

test('the study has each depth with its own epochs and lambdas, on both data sets, over three seeds', async () => {
  const shallow = { depth: 3, epochs: 10, lambda_l1: 1e-5, weight_decay: 1e-5, train_size: 60_000 };
  const deep = { depth: 5, epochs: 13, lambda_l1: 1e-7, weight_decay: 1e-7, noise_std: 0, train_size: 60_000 };
  for (const dataset of ['mnist', 'fashion-mnist']) {
    for (const latent_dim of [15, 30, 50, 100]) {
      const noisy = latent_dim === 15 || latent_dim === 100 ? 3 : 0;
      expect(
        await counted('autoencoder-study.yaml', [
          { ...shallow, dataset, latent_dim, noise_std: 0 },
          { ...shallow, dataset, latent_dim, noise_std: 0.5 },
          { ...deep, dataset, latent_dim },
        ]),
      ).toEqual([3, noisy, 3]);
    }
  }
  // What is left: the 5-layer nets at the 3-layer nets' lambdas, for H3.
  expect(await counted('autoencoder-study.yaml', [{}, { depth: 5, lambda_l1: 1e-5, epochs: 13 }])).toEqual([66, 6]);
});

test('the small study is the same grid, smaller, with the same questions', async () => {
  const study = await example('autoencoder-study.yaml');
  const small = await example('autoencoder-study-small.yaml');
  expect(plan(small).configs).toBe(plan(study).configs);
  expect(small.exclude).toEqual(study.exclude);
  expect(small.hypotheses.map(({ name, where }) => [name, where])).toEqual(
    study.hypotheses.map(({ name, where }) => [name, where]),
  );
  expect(await counted('autoencoder-study-small.yaml', [{ train_size: 6_000, epochs: 3 }])).toEqual([22]);
});
