import { expect, test } from 'vitest';
import { shortfallText } from '../../lib/text/explain.ts';
import { type Capability, shortfallsOf } from './fitness.ts';
import type { Demand, Resources } from './policy.ts';

const GIB = 2 ** 30;
const GPU: Capability = {
  backend: 'tensorflow-gpu',
  gpus: 1,
  vramBytes: 16 * GIB,
  labels: { zone: 'a', disk: 'fast' },
  trainers: ['autoencoder', 'noop', 'command'],
};
const CPU: Capability = { ...GPU, backend: 'wasm', gpus: 0, vramBytes: 0 };

const demand = (resources: Partial<Resources>, trainer = 'autoencoder'): Demand => {
  return { trainer, resources: { labels: {}, ...resources } };
};

test.each<[string, Demand, Capability]>([
  ['nothing', demand({}), CPU],
  ['no GPU (the slot has none)', demand({ gpu: false }), CPU],
  ['a GPU', demand({ gpu: 1 }), GPU],
  ['exactly the memory of the GPU', demand({ vramBytes: 16 * GIB }), GPU],
  ['labels', demand({ labels: { disk: 'fast', zone: 'a' } }), GPU],
  ['a GPU for a command, whatever the backend', demand({ gpu: 1 }, 'command'), { ...GPU, backend: 'wasm' }],
  ['two of four GPUs', demand({ gpu: 2 }, 'command'), { ...GPU, gpus: 4 }],
])('a slot can run a trial that demands %s', (_, wanted, slot) => {
  expect(shortfallsOf(wanted, slot)).toEqual([]);
});

test.each<[Demand, Capability, string[]]>([
  [demand({}, 'later'), CPU, ['no trainer later (available: autoencoder, noop, command)']],
  [demand({ gpu: false }), GPU, ['1 GPU (the sweep requires none)']],
  [
    demand({ gpu: 1, vramBytes: 8 * GIB }),
    CPU,
    ['no GPU (the sweep requires 1)', 'no GPU memory (the sweep requires 8 GiB)'],
  ],
  [demand({ gpu: 2 }, 'command'), GPU, ['1 GPU (the sweep requires 2)']],
  [
    demand({ vramBytes: 16 * GIB + 1 }),
    { ...GPU, vramBytes: 8 * GIB },
    ['8 GiB of GPU memory (the sweep requires 16 GiB)'],
  ],
  [
    demand({ gpu: 1 }),
    { ...GPU, backend: 'tensorflow' },
    ['GPU not used: the backend is tensorflow (run trawl doctor on that machine)'],
  ],
  [demand({ labels: { zone: 'b' } }), GPU, ['label zone is a (the sweep requires b)']],
  [demand({ labels: { zones: 'a' } }), GPU, ['no label zones (the sweep requires a); did you mean "zone"?']],
  [
    demand({ labels: { constructor: 'a', disk: 'slow' } }),
    GPU,
    ['no label constructor (the sweep requires a)', 'label disk is fast (the sweep requires slow)'],
  ],
])('each part of the demand %j that a slot does not meet has a reason', (wanted, slot, texts) => {
  expect(shortfallsOf(wanted, slot).map(shortfallText)).toEqual(texts);
});
