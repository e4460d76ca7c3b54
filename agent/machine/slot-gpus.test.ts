import { expect, test } from 'vitest';
import { slotGpus } from './slot-gpus.ts';

const GIB = 2 ** 30;
const gpus = (...gib: number[]) => gib.map((size, index) => ({ index, name: 'GPU', memoryBytes: size * GIB }));
const told = (have: number[], slots: number) =>
  slotGpus(gpus(...have), slots).map(({ indexes, vramBytes }) => [indexes, vramBytes / GIB]);

test('a slot a GPU: each sees its own, and has it whole', () => {
  expect(told([80, 16], 2)).toEqual([
    [[0], 80],
    [[1], 16],
  ]);
});

test('several slots a GPU share its memory evenly', () => {
  expect(told([80, 16], 4)).toEqual([
    [[0], 40],
    [[1], 8],
    [[0], 40],
    [[1], 8],
  ]);
  // Three slots on two GPUs: the first GPU has two of them.
  expect(told([80, 80], 3)).toEqual([
    [[0], 40],
    [[1], 80],
    [[0], 40],
  ]);
});

test('fewer slots than GPUs: each sees several, and counts on what the smallest has', () => {
  expect(told([80, 16, 80, 80, 80], 2)).toEqual([
    [[0, 1], 16],
    [[2, 3], 80],
  ]);
});

test('without a GPU there is none to see', () => {
  expect(told([], 2)).toEqual([
    [[], 0],
    [[], 0],
  ]);
});
