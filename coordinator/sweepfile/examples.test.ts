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
