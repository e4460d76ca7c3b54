import { expect, test } from 'vitest';
import { requireFittingSlots, slotCount, slotGpus, threadEnvironment } from './slots.ts';

const defaults = { slots: undefined, slotsPerGpu: undefined };

test('a machine has one slot per GPU, or one slot per core if it has no GPU', () => {
  expect(slotCount(defaults, 4, 16)).toBe(4);
  expect(slotCount(defaults, 0, 16)).toBe(16);
});

test('the number of slots can be set in total or per GPU', () => {
  expect(slotCount({ ...defaults, slots: 3 }, 4, 16)).toBe(3);
  expect(slotCount({ ...defaults, slotsPerGpu: 3 }, 4, 16)).toBe(12);
});

test('--slots-per-gpu is rejected on a machine without GPUs, and together with --slots', () => {
  expect(() => slotCount({ ...defaults, slotsPerGpu: 2 }, 0, 16)).toThrow(/nvidia-smi lists none/);
  expect(() => slotCount({ slots: 2, slotsPerGpu: 2 }, 4, 16)).toThrow(/cannot be combined/);
});

test('the total number of slots is limited, even if the number is set per GPU', () => {
  expect(slotCount({ ...defaults, slotsPerGpu: 512 }, 8, 16)).toBe(4096);
  expect(() => slotCount({ ...defaults, slotsPerGpu: 513 }, 8, 16)).toThrow(
    /gives 4104 slots on 8 GPUs: expected up to 4096/,
  );
});

test('a number of slots that does not fit into memory is rejected, and the error names the largest possible number', () => {
  expect(() => requireFittingSlots(64, 4 * GIB)).not.toThrow();
  expect(() => requireFittingSlots(undefined, 1)).not.toThrow();
  expect(() => requireFittingSlots(1, 1)).not.toThrow();
  expect(() => requireFittingSlots(65, 4 * GIB)).toThrow(
    '65 slots need at least 4.1 GiB of memory, and this machine has 4 GiB: use up to 64',
  );
});

const GIB = 2 ** 30;
const gpus = (...gib: number[]) =>
  gib.map(
    (size, index) => ({ vendor: 'nvidia', index, id: `${index}`, name: 'GPU', memoryBytes: size * GIB }) as const,
  );
const assigned = (have: number[], slots: number) =>
  slotGpus(gpus(...have), slots).map((slot) => [slot.gpus.map(({ index }) => index), slot.vramBytes / GIB]);

test('with one slot per GPU, each slot has a whole GPU', () => {
  expect(assigned([80, 16], 2)).toEqual([
    [[0], 80],
    [[1], 16],
  ]);
});

test('several slots on one GPU share the memory of the GPU evenly', () => {
  expect(assigned([80, 16], 4)).toEqual([
    [[0], 40],
    [[1], 8],
    [[0], 40],
    [[1], 8],
  ]);
  expect(assigned([80, 80], 3)).toEqual([
    [[0], 40],
    [[1], 80],
    [[0], 40],
  ]);
});

test('with fewer slots than GPUs, a slot has several GPUs, and its memory per GPU is the memory of its smallest GPU', () => {
  expect(assigned([80, 16, 80, 80, 80], 2)).toEqual([
    [[0, 1], 16],
    [[2, 3], 80],
  ]);
});

test('on a machine with MIG instances, a slot has at most one GPU', () => {
  const [card, ...others] = gpus(20, 10, 40);
  if (card === undefined) throw new Error('no GPU');
  const slots = slotGpus([{ ...card, id: 'MIG-a', migCard: 'GPU-a' }, ...others], 1);
  expect(slots.map((slot) => slot.gpus.map(({ id }) => id))).toEqual([['MIG-a']]);
});

test('on a machine without GPUs, slots have no GPUs', () => {
  expect(assigned([], 2)).toEqual([
    [[], 0],
    [[], 0],
  ]);
});

test('slots share the cores evenly, and each slot has at least one thread', () => {
  const threads = (cores: number, slots: number) => threadEnvironment(cores, slots, {}).TF_NUM_INTEROP_THREADS;
  expect([threads(2, 2), threads(2, 1), threads(16, 3), threads(2, 8)]).toEqual(['1', '2', '5', '1']);
});

test('a single operation can use half of the threads of its slot, but at least one thread', () => {
  const intraOp = (threads: number) => threadEnvironment(threads, 1, {}).TF_NUM_INTRAOP_THREADS;
  expect([1, 2, 3, 16].map(intraOp)).toEqual(['1', '1', '2', '8']);
});

test('environment variables that the user has set are not changed', () => {
  expect(threadEnvironment(8, 2, { OMP_NUM_THREADS: '3', TF_NUM_INTRAOP_THREADS: '' })).toEqual({
    OMP_NUM_THREADS: '3',
    TF_NUM_INTRAOP_THREADS: '2',
    TF_NUM_INTEROP_THREADS: '4',
  });
});
