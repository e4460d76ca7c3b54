import { expect, test } from 'vitest';
import { parseGpuFigures } from './gpu-figures.ts';

test('figures are in base units, and what a card does not tell is left out', () => {
  expect(parseGpuFigures('0, 37, 1024, 81559, 41, 118.24\n1, [N/A], 12, 2048, 30, [N/A]\n')).toEqual([
    {
      index: 0,
      utilization: 0.37,
      memoryUsedBytes: 2 ** 30,
      memoryTotalBytes: 81559 * 2 ** 20,
      temperatureCelsius: 41,
      powerWatts: 118.24,
    },
    {
      index: 1,
      utilization: undefined,
      memoryUsedBytes: 12 * 2 ** 20,
      memoryTotalBytes: 2 * 2 ** 30,
      temperatureCelsius: 30,
      powerWatts: undefined,
    },
  ]);
});

test('what nvidia-smi says in place of figures is no GPU', () => {
  expect(parseGpuFigures('No devices were found\n')).toEqual([]);
  expect(parseGpuFigures('0, NVIDIA H100 80GB HBM3, 81559\n')).toEqual([]);
  expect(parseGpuFigures('')).toEqual([]);
});
