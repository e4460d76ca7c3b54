import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normals, Random, STREAMS } from './random.ts';

const draw = (count: number, random: Random) => Float64Array.from({ length: count }, () => random.uniform());
const mean = (values: Iterable<number>, of = (value: number) => value) => {
  let [sum, count] = [0, 0];
  for (const value of values) {
    sum += of(value);
    count++;
  }
  return sum / count;
};

/** An independent implementation of xoshiro128** and splitmix64, which follows the papers and uses exact integers. */
function* reference(seed: bigint, stream: bigint): Generator<bigint> {
  const mask = (1n << 32n) - 1n;
  const splitmix = (state: bigint) => {
    let z = BigInt.asUintN(64, state + 0x9e3779b97f4a7c15n);
    z = BigInt.asUintN(64, (z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d049bb133111ebn);
    return z ^ (z >> 31n);
  };
  const rotate = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask;
  const one = splitmix(splitmix(BigInt.asUintN(64, seed)) ^ stream);
  const two = splitmix(one);
  let [a, b, c, d] = [one & mask, one >> 32n, two & mask, two >> 32n];
  for (;;) {
    yield (rotate((b * 5n) & mask, 7n) * 9n) & mask;
    const t = (b << 9n) & mask;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11n);
  }
}

test('the generator is xoshiro128** seeded by splitmix64, for any seed', () => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (seed) => {
      const random = new Random(seed, STREAMS.shuffle);
      const expected = reference(BigInt(seed), 2n);
      for (let i = 0; i < 50; i++) expect(BigInt(random.int32() >>> 0)).toBe(expected.next().value);
    }),
    { numRuns: 50 },
  );
});

test('consecutive seeds give different numbers, and the streams of one seed give different numbers', () => {
  const starts = [0, 1, 2, 3].flatMap((seed) =>
    Object.values(STREAMS).map((stream) => String(draw(4, new Random(seed, stream)))),
  );
  expect(new Set(starts).size).toBe(starts.length);
});

test('uniform numbers are in [0, 1), with mean 1/2 and variance 1/12', () => {
  const values = draw(200_000, new Random(5, STREAMS.weights));
  expect(values.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(Math.abs(mean(values) - 0.5)).toBeLessThan(0.003);
  expect(Math.abs(mean(values, (value) => (value - 0.5) ** 2) - 1 / 12)).toBeLessThan(0.001);
});

test('normal random values have the moments of the normal distribution', () => {
  const values = normals(1_000_000, 1, new Random(11, STREAMS.trainNoise));
  expect(Math.abs(mean(values))).toBeLessThan(0.005);
  expect(mean(values, (x) => x ** 2)).toBeCloseTo(1, 2);
  expect(Math.abs(mean(values, (x) => x ** 3))).toBeLessThan(0.02);
  expect(mean(values, (x) => x ** 4)).toBeCloseTo(3, 1);
});

test('normal numbers exceed each limit with the right frequency, including limits in the tail', () => {
  const count = 1_000_000;
  const values = normals(count, 1, new Random(12, STREAMS.trainNoise));
  // For each limit, the probability (from tables) that the absolute value of a normal number exceeds it. The tail
  // begins at 3.654.
  const beyond = {
    0.1: 0.920344,
    0.5: 0.617075,
    1: 0.317311,
    2: 0.0455003,
    3: 0.0026998,
    3.6542: 0.000258,
    4: 6.334e-5,
  };
  for (const [limit, probability] of Object.entries(beyond)) {
    const found = values.filter((x) => Math.abs(x) > Number(limit)).length;
    const scatter = Math.sqrt(count * probability * (1 - probability));
    expect(Math.abs(found - count * probability), `beyond ${limit}`).toBeLessThan(5 * scatter);
  }
});

test('a seed gives the same normal numbers for every standard deviation, scaled by the standard deviation', () => {
  const of = (std: number) => normals(1000, std, new Random(3, STREAMS.testNoise));
  expect(of(0.5)).toEqual(of(1).map((x) => x * 0.5));
});

test('a shuffle keeps all items, and moves each item to every position equally often', () => {
  fc.assert(
    fc.property(fc.integer(), fc.array(fc.integer({ min: -1000, max: 1000 })), (seed, items) => {
      const shuffled = Int32Array.from(items);
      new Random(seed, STREAMS.shuffle).shuffle(shuffled);
      expect([...shuffled].sort()).toEqual([...items].sort());
    }),
  );
  const random = new Random(1, STREAMS.shuffle);
  const places = Array.from({ length: 5 }, () => [0, 0, 0, 0, 0]);
  for (let round = 0; round < 10_000; round++) {
    const items = Int32Array.of(0, 1, 2, 3, 4);
    random.shuffle(items);
    items.forEach((item, place) => {
      const counts = places[item];
      if (counts) counts[place] = (counts[place] ?? 0) + 1;
    });
  }
  for (const count of places.flat()) expect(Math.abs(count - 2000)).toBeLessThan(200);
});
