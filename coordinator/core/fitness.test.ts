import { expect, test } from 'vitest';
import { type Capability, unfit } from './fitness.ts';
import type { Demand, Resources } from './model.ts';

const GIB = 2 ** 30;
const GPU: Capability = {
  ...{ backend: 'tensorflow-gpu', gpus: 1, vramBytes: 16 * GIB },
  ...{ labels: { zone: 'a', disk: 'fast' }, trainers: ['autoencoder', 'noop', 'command'] },
};
const CPU: Capability = { ...GPU, backend: 'wasm', gpus: 0, vramBytes: 0 };

const asks = (resources: Partial<Resources>, trainer = 'autoencoder'): Demand => {
  return { trainer, resources: { labels: {}, ...resources } };
};

test.each<[string, Demand, Capability]>([
  ['nothing', asks({}), CPU],
  ['no GPU, of a slot without', asks({ gpu: false }), CPU],
  ['a GPU', asks({ gpu: 1 }), GPU],
  ['memory, to the byte', asks({ vramBytes: 16 * GIB }), GPU],
  ['labels', asks({ labels: { disk: 'fast', zone: 'a' } }), GPU],
  ['a GPU for a program, whatever trawl itself computes on', asks({ gpu: 1 }, 'command'), { ...GPU, backend: 'wasm' }],
  ['two GPUs', asks({ gpu: 2 }, 'command'), { ...GPU, gpus: 4 }],
])('a slot may run what asks for %s', (_, demand, slot) => {
  expect(unfit(demand, slot)).toEqual([]);
});

test.each<[Demand, Capability, string[]]>([
  [asks({}, 'later'), CPU, ['it has no trainer later (it has autoencoder, noop, command)']],
  [asks({ gpu: false }), GPU, ['it has a GPU, and gpu: false asks for none']],
  [
    asks({ gpu: 1, vramBytes: 8 * GIB }),
    CPU,
    ['it has no GPU, and gpu: 1 asks for 1', 'it has no GPU, and vram asks for 8 GiB'],
  ],
  [asks({ gpu: 2 }, 'command'), GPU, ['it has 1 GPU, and gpu: 2 asks for 2']],
  [
    asks({ vramBytes: 16 * GIB + 1 }),
    { ...GPU, vramBytes: 8 * GIB },
    ['it has 8 GiB of GPU memory, and vram asks for 16 GiB'],
  ],
  [
    asks({ gpu: 1 }),
    { ...GPU, backend: 'tensorflow' },
    ['its GPU is not used: its backend is tensorflow (trawl doctor on that machine says why)'],
  ],
  [asks({ labels: { zone: 'b' } }), GPU, ['its label zone is a, not b']],
  [asks({ labels: { zones: 'a' } }), GPU, ['it has no label zones; did you mean "zone"?']],
  [
    asks({ labels: { constructor: 'a', disk: 'slow' } }),
    GPU,
    ['it has no label constructor; its label disk is fast, not slow'],
  ],
])('%j is too much for a slot, and it is said why', (demand, slot, reasons) => {
  expect(unfit(demand, slot)).toEqual(reasons);
});
