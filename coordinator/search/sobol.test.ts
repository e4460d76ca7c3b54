import { expect, test } from 'vitest';
import { MAX_SOBOL_DIMENSIONS, sobolCoordinate } from './sobol.ts';

/** The tested rows and columns of `scipy.stats.qmc.Sobol(128, scramble=False).random(4096)`, with SciPy 1.17.1. */
const ROWS = [1, 2, 3, 7, 100, 1023, 2048, 4095];
const COLUMNS = [0, 1, 2, 3, 7, 20, 63, 100];
const SCIPY = [
  [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5],
  [0.75, 0.25, 0.25, 0.25, 0.75, 0.25, 0.75, 0.25],
  [0.25, 0.75, 0.75, 0.75, 0.25, 0.75, 0.25, 0.75],
  [0.125, 0.625, 0.375, 0.125, 0.625, 0.875, 0.375, 0.375],
  [0.4140625, 0.2578125, 0.7734375, 0.7265625, 0.4765625, 0.7578125, 0.6484375, 0.0390625],
  [0.0009765625, 0.7529296875, 0.6123046875, 0.1455078125, 0.6181640625, 0.8662109375, 0.0400390625, 0.2373046875],
  [
    0.000732421875, 0.313720703125, 0.734130859375, 0.746826171875, 0.422607421875, 0.384521484375, 0.439697265625,
    0.782958984375,
  ],
  [
    0.000244140625, 0.941162109375, 0.334228515625, 0.901611328125, 0.390869140625, 0.225830078125, 0.553466796875,
    0.344970703125,
  ],
];

test('a Sobol search has the same points as SciPy, except that it omits the first point of SciPy', () => {
  expect(ROWS.map((row) => COLUMNS.map((dimension) => sobolCoordinate(row - 1, dimension)))).toEqual(SCIPY);
});

test('in every seventh dimension, the origin and the first 127 Sobol points are in different intervals of width 1/128', () => {
  for (let dimension = 0; dimension < MAX_SOBOL_DIMENSIONS; dimension += 7) {
    const intervals = Array.from({ length: 127 }, (_, index) => Math.floor(128 * sobolCoordinate(index, dimension)));
    expect([...intervals].sort((a, b) => a - b)).toEqual(Array.from({ length: 127 }, (_, index) => index + 1));
  }
});
