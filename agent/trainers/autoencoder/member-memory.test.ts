import { expect, test } from 'vitest';
import { BETA1, BETA2, rateOfSums } from './adam.ts';
import { MemberMemory, type Part } from './member-memory.ts';
import { type Layer, parameterLayout, ROW } from './model.ts';

const PARTS: readonly Part[] = ['parameters', 'first', 'second', 'gradient'];
/** The sizes are chosen so that most arrays end between two aligned addresses. */
const LAYERS: readonly Layer[] = [
  { inputs: 7, outputs: 3, activation: 'relu' },
  { inputs: 3, outputs: 5, activation: 'tanh' },
];
const layout = parameterLayout(LAYERS);
const NUMBERS = { weightDecay: 0.1, l1: 0.01, beta1: BETA1, beta2: BETA2, ...rateOfSums(0.01, 1) };

/** Returns `rows * ROW` values, with zeros after the last parameter. */
function flatValues(seed: number): Float32Array {
  const flat = new Float32Array(layout.rows * ROW);
  for (let i = 0; i < layout.parameters; i++) flat[i] = Math.sin(seed + 2.5 * i);
  return flat;
}

/** Returns memories in which each part of each member has different values. */
function filledMemories(count: number) {
  const memories = Array.from({ length: count }, () => new MemberMemory(layout));
  for (const [at, memory] of memories.entries())
    for (const [i, part] of PARTS.entries()) memory.write(part, flatValues(10 * at + i).map(Math.abs));
  return memories;
}

test('each part of each member keeps its own values, and each array is aligned to 64 bytes', () => {
  for (const [at, memory] of filledMemories(3).entries()) {
    for (const [i, part] of PARTS.entries()) {
      expect(memory.read(part)).toEqual(flatValues(10 * at + i).map(Math.abs));
      expect(memory.views(part).map(({ length }) => length)).toEqual([21, 3, 15, 5]);
      for (const { byteOffset } of memory.views(part)) expect(byteOffset % 64).toBe(0);
    }
  }
});

test('an update changes only the parameters and the moments of its member, and returns the sum of the absolute parameters before the update', () => {
  const memories = filledMemories(3);
  const [before, middle, after] = memories;
  if (!(before && middle && after)) throw new Error('missing memories');
  const expected = middle.absoluteSum();
  const flat = middle.read('parameters');
  expect(flat.reduce((sum, value) => sum + value, 0)).toBeCloseTo(expected, 4);
  expect(middle.update(NUMBERS)).toBeCloseTo(expected, 10);
  for (const [at, memory] of memories.entries())
    for (const [i, part] of PARTS.entries()) {
      const isSame = memory !== middle || part === 'gradient';
      const given = flatValues(10 * at + i).map(Math.abs);
      const found = memory.read(part);
      for (let value = 0; value < layout.parameters; value++)
        expect(found[value] === given[value], `${part} ${value}`).toBe(isSame);
    }
});

test('an update of several layers gives the values that Adam with the elastic net defines', () => {
  const [memory] = filledMemories(1);
  if (memory === undefined) throw new Error('missing memory');
  const [p, m, v, g] = PARTS.map((part) => memory.read(part)) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  memory.update(NUMBERS);
  const found = memory.read('parameters');
  for (let i = 0; i < layout.parameters; i++) {
    const parameter = p[i] ?? 0;
    const gradient = (g[i] ?? 0) + 0.1 * parameter + 0.01 * Math.sign(parameter);
    const first = BETA1 * (m[i] ?? 0) + gradient;
    const second = BETA2 * (v[i] ?? 0) + gradient ** 2;
    expect(found[i]).toBeCloseTo(parameter - (NUMBERS.rate * first) / (Math.sqrt(second) + NUMBERS.epsilon), 5);
  }
  expect(found.subarray(layout.parameters).every((value) => value === 0)).toBe(true);
});

test('all members together can use more than the 4 GiB of one WebAssembly memory', () => {
  const wide = parameterLayout([{ inputs: 784, outputs: 8000, activation: 'relu' }]);
  // The operating system allocates only the pages that are used, so the test needs little memory.
  const memories = Array.from({ length: 50 }, () => new MemberMemory(wide));
  expect((memories.length * 4 * 4 * wide.parameters) / 2 ** 30).toBeGreaterThan(4);
  for (const [at, memory] of memories.entries()) memory.views('parameters')[0]?.fill(at, 0, 1);
  expect(memories.map((memory) => memory.views('parameters')[0]?.[0])).toEqual(memories.map((_, at) => at));
});
