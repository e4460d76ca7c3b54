import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { enumerateTrials } from '../grid/enumerate.ts';
import { plan } from '../grid/plan.ts';
import { isDrawn } from '../grid/spec.ts';
import { parseSweep } from './parse.ts';
import { readSweepFile } from './read.ts';

const folder = fileURLToPath(new URL('../../examples/', import.meta.url));

async function example(name: string) {
  return parseSweep(await readSweepFile(`${folder}${name}`), name);
}

/** The paths of all sweep files in `examples/`. The files in a folder `conf` are configurations of Hydra. */
const sweepFiles = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(
  (name) => /\.(ya?ml|json)$/.test(name) && !name.split('/').includes('conf'),
);

test.each(sweepFiles)('%s is a valid sweep', async (name) => {
  const spec = await example(name);
  expect(spec.description.length + spec.name.length).toBeGreaterThan(0);
  if (spec.search !== undefined && !isDrawn(spec.search)) expect(plan(spec).trials).toBe(spec.runCap);
  else {
    const { configs, trials } = plan(spec);
    // With adaptive replicates, only the minimum number of replicates is listed, because the results decide about more.
    const listed = spec.adaptiveReplicates === undefined ? trials : configs * spec.adaptiveReplicates.min;
    expect([...enumerateTrials(spec)]).toHaveLength(listed);
  }
});

test('the demo has eight trials on MNIST: four latent dimensions, plain and denoising', async () => {
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
      dataset: 'mnist',
      depth: 3,
      train_size: 6_000,
      epochs: 2,
      lambda_l1: 1e-5,
      weight_decay: 1e-5,
      batch_size: 64,
      learning_rate: 1e-3,
      l1_in_gradient: true,
    });
  }
});

test('the plan of autoencoders.yaml has 90 trials, 30 configs, 12 excluded points and 6 duplicates', async () => {
  expect(plan(await example('autoencoders.yaml'))).toMatchObject({
    trials: 90,
    configs: 30,
    excluded: [{ rule: 'depth=5, noise_std=0.5', count: 12 }],
    duplicates: 6,
  });
});

test('the sweep of the study has exactly the autoencoders of the study protocol, with three seeds each', async () => {
  const spec = await example('autoencoder-study.yaml');
  expect([spec.seeds, spec.checkpointEvery, spec.reconstructEvery]).toEqual([[0, 1, 2], 1, 4]);
  const nets = new Set([...enumerateTrials(spec)].map(({ parameters }) => JSON.stringify(netOf(parameters))));
  const three = { depth: 3, lambda: 1e-5, epochs: 10 };
  const five = { depth: 5, lambda: 1e-7, epochs: 13 };
  const expected = ['mnist', 'fashion-mnist'].flatMap((dataset) => [
    ...[15, 30, 50, 100].flatMap((latent) => [
      { dataset, latent, noise: 0, ...three },
      { dataset, latent, noise: 0, ...five },
    ]),
    ...[15, 100].map((latent) => ({ dataset, latent, noise: 0.5, ...three })),
  ]);
  for (const latent of [15, 100]) expected.push({ dataset: 'mnist', latent, noise: 0, ...five, lambda: 1e-5 });
  expect([...nets].sort()).toEqual(expected.map((net) => JSON.stringify(net)).sort());
  expect(plan(spec)).toMatchObject({ trials: 66, configs: 22 });
});

/**
 * Returns those of the given parameters that the study varies. Checks that weight_decay equals lambda_l1, and that all
 * other parameters have the constant values of the study.
 */
function netOf(parameters: Readonly<Record<string, unknown>>) {
  const { dataset, latent_dim: latent, noise_std: noise, depth, lambda_l1: lambda, epochs, ...rest } = parameters;
  expect(rest).toEqual({
    weight_decay: lambda,
    batch_size: 64,
    learning_rate: 0.001,
    train_size: 60_000,
    test_size: 10_000,
    l1_in_gradient: true,
  });
  return { dataset, latent, noise, depth, lambda, epochs };
}

test('the small study has as many configs as the study, with fewer images and epochs; its hypotheses have the same names and conditions', async () => {
  const study = await example('autoencoder-study.yaml');
  const small = await example('autoencoder-study-small.yaml');
  expect(plan(small).configs).toBe(plan(study).configs);
  expect(small.exclude).toEqual(study.exclude);
  expect(small.hypotheses.map(({ name, where }) => [name, where])).toEqual(
    study.hypotheses.map(({ name, where }) => [name, where]),
  );
  for (const { parameters } of enumerateTrials(small)) {
    expect(parameters).toMatchObject({ train_size: 6_000, epochs: 3 });
  }
});

test('the adaptive study has the same hypotheses as the study, and the same configs except for the numbers of images', async () => {
  const study = await example('autoencoder-study.yaml');
  const adaptive = await example('autoencoder-study-adaptive.yaml');
  expect(adaptive.hypotheses).toEqual(study.hypotheses);
  const configsOf = (spec: typeof study) => {
    const configs = Array.from(enumerateTrials(spec), ({ parameters: { train_size, test_size, ...rest } }) => {
      return JSON.stringify(rest);
    });
    return [...new Set(configs)].sort();
  };
  expect(configsOf(adaptive)).toEqual(configsOf(study));
  expect(adaptive.adaptiveReplicates).toEqual({ min: 3, max: 12 });
  for (const { parameters } of enumerateTrials(adaptive)) expect(parameters.train_size).toBe(1_500);
});
