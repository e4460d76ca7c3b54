import { expect, test } from 'vitest';
import { enumerateTrials } from '../grid/enumerate.ts';
import { parseSweep } from './parse.ts';

test('omitted keys of a sweep file have their defaults', () => {
  const spec = parseSweep('{trainer: autoencoder, parameters: {}}', 'some/folder/first-try.yaml');
  expect(spec).toMatchObject({
    name: 'first-try',
    description: '',
    metric: { name: 'test_loss', goal: 'minimize' },
    axes: [],
    seeds: [0],
    order: { kind: 'grid' },
    retry: { oom: 1, crash: 2, timeout: 1, backoffMs: 2_000 },
  });
  expect([spec.concurrency, spec.timeoutMs, spec.maxFailed]).toEqual([undefined, undefined, undefined]);
});

test('the keys of a grid with a built-in trainer are parsed', () => {
  const spec = parseSweep(
    `
name: all
description: of them
method: grid
trainer: autoencoder
metric: {name: psnr}
parameters:
  depth: {values: [3, 5]}
  latent_dim: {min: 15, max: 45, step: 15}
  lambda_l1: {values: [0, 1e-5]}
  weight_decay: {values: [0, 1e-5]}
zip: [[lambda_l1, weight_decay]]
exclude: [{depth: 5, latent_dim: [15, 30]}]
when: [{if: {depth: 5}, set: {epochs: 13}}]
seeds: [3, 1]
order: shuffled
seed: 9
concurrency: 4
speculate: true
priority: -3
weight: 2.5
resources: {gpu: 1, vram: 8GiB, labels: {zone: a}}
retry: {oom: 0, backoff: 1m30s}
timeout: 2h
max_failed: 12.5%
checkpoint_every: 2
reconstruct_every: 0
hypotheses:
  - {name: H1, claim: 'psnr[depth=3] < psnr[depth=5]', about: depth pays, where: {latent_dim: [15, 30]}}
`,
    'x.yaml',
  );
  const { axes, ...rest } = spec;
  expect(axes.map((axis) => [axis.name, axis.size, axis.at(axis.size - 1)])).toEqual([
    ['depth', 2, 5],
    ['latent_dim', 3, 45],
    ['lambda_l1', 2, 1e-5],
    ['weight_decay', 2, 1e-5],
  ]);
  expect(rest).toEqual({
    objectives: [],
    name: 'all',
    description: 'of them',
    trainer: 'autoencoder',
    command: [],
    metric: { name: 'psnr', goal: 'maximize', at: 'last', target: undefined },
    program: undefined,
    isWandbFile: false,
    search: undefined,
    runCap: undefined,
    earlyTerminate: undefined,
    ignored: [],
    notes: [],
    zip: [['lambda_l1', 'weight_decay']],
    exclude: [
      {
        conditions: [
          { name: 'depth', anyOf: [5] },
          { name: 'latent_dim', anyOf: [15, 30] },
        ],
      },
    ],
    when: [{ conditions: [{ name: 'depth', anyOf: [5] }], set: { epochs: 13 } }],
    seeds: [3, 1],
    order: { kind: 'shuffled', seed: 9 },
    concurrency: 4,
    speculate: true,
    priority: -3,
    weight: 2.5,
    resources: { gpu: 1, vramBytes: 8 * 2 ** 30, labels: { zone: 'a' } },
    retry: { oom: 0, crash: 2, timeout: 1, backoffMs: 90_000 },
    timeoutMs: 7_200_000,
    maxFailed: { kind: 'share', ratio: 0.125 },
    checkpointEvery: 2,
    reconstructEvery: 0,
    hypotheses: [
      {
        name: 'H1',
        about: 'depth pays',
        text: 'psnr[depth=3] < psnr[depth=5]',
        claim: {
          kind: 'comparison',
          negated: false,
          direction: '<',
          left: { metric: 'psnr', over: undefined, conditions: [{ name: 'depth', anyOf: [3] }] },
          right: { metric: 'psnr', over: undefined, conditions: [{ name: 'depth', anyOf: [5] }] },
        },
        where: [{ name: 'latent_dim', anyOf: [15, 30] }],
      },
    ],
  });
});

test('by default, a checkpoint is stored after every epoch, and reconstruction images after every fourth epoch', () => {
  expect(parseSweep('{trainer: noop, parameters: {}}', 'x')).toMatchObject({ checkpointEvery: 1, reconstructEvery: 4 });
});

test('"replicates" sets the seeds to consecutive numbers from 0', () => {
  expect(parseSweep('{trainer: noop, parameters: {}, replicates: 3, max_failed: 0}', 'x')).toMatchObject({
    seeds: [0, 1, 2],
    maxFailed: { kind: 'count', count: 0 },
  });
});

test('sweep files in JSON and YAML with the same content give the same trials', () => {
  const data = { trainer: 'noop', parameters: { a: { values: [1, 0.5, 'x', true] } }, exclude: [{ a: [1, 'x'] }] };
  const ids = (text: string) => [...enumerateTrials(parseSweep(text, 'x'))].map(({ trialId }) => trialId);
  const json = ids(JSON.stringify(data, null, '\t'));
  expect(json).toHaveLength(2);
  expect(ids('trainer: noop\nparameters:\n  a:\n    values: [1, .5, x, true]\nexclude:\n- a: [1, x]\n')).toEqual(json);
});

test('anchors and aliases in a sweep file are expanded', () => {
  const text = 'trainer: noop\nparameters:\n  a: &few {values: [1, 2]}\n  b: *few\n';
  expect(parseSweep(text, 'x').axes.map(({ name, size }) => `${name}${size}`)).toEqual(['a2', 'b2']);
});

test('in a zip, a parameter with a single value has this value in every row, and lists may contain equal values', () => {
  const text = `
trainer: noop
parameters: {a: {values: [1, 1, 2]}, b: {values: [5, 6, 5]}, c: {value: 9}}
zip: [[a, b, c]]
`;
  const rows = [...enumerateTrials(parseSweep(text, 'x'))].map(({ parameters: { a, b, c } }) => [a, b, c]);
  expect(rows).toEqual([
    [1, 5, 9],
    [1, 6, 9],
    [2, 5, 9],
  ]);
});

test('a sweep may have several objectives, and the first objective is its metric', () => {
  const spec = parseSweep(
    '{trainer: autoencoder, metrics: [{name: psnr}, {name: test_loss}], parameters: {}}',
    'x.yaml',
  );
  expect(spec.metric).toEqual({ name: 'psnr', goal: 'maximize', at: 'last', target: undefined });
  expect(spec.objectives).toEqual([
    { name: 'psnr', goal: 'maximize' },
    { name: 'test_loss', goal: 'minimize' },
  ]);
  expect(parseSweep('{trainer: autoencoder, parameters: {}}', 'x.yaml').objectives).toEqual([]);
});
