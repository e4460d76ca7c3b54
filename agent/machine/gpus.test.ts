import { expect, test } from 'vitest';
import { parseGpuFigures, parseGpus } from './gpus.ts';

test('GPUs are parsed from the lines of nvidia-smi', () => {
  const text = '0, NVIDIA H100 80GB HBM3, 81559\n1, Tesla T4, 15360\n10, NVIDIA A100-SXM4-40GB, 40960\n';
  expect(parseGpus(text)).toEqual([
    { index: 0, name: 'NVIDIA H100 80GB HBM3', memoryBytes: 81559 * 2 ** 20 },
    { index: 1, name: 'Tesla T4', memoryBytes: 15360 * 2 ** 20 },
    { index: 10, name: 'NVIDIA A100-SXM4-40GB', memoryBytes: 40960 * 2 ** 20 },
  ]);
});

test("a GPU's name can contain commas", () => {
  expect(parseGpus('0, Quadro, special edition, 8192\n')).toMatchObject([{ name: 'Quadro, special edition' }]);
});

test('Windows line endings are accepted', () => {
  expect(parseGpus('0, Tesla T4, 15360\r\n')).toMatchObject([{ index: 0, memoryBytes: 15360 * 2 ** 20 }]);
});

test('messages, and GPUs without a readable memory size, are skipped', () => {
  expect(parseGpus('')).toEqual([]);
  expect(parseGpus('No devices were found\n')).toEqual([]);
  expect(parseGpus('0, Tesla T4, [N/A]\nUnable to determine the device handle: GPU is lost\n')).toEqual([]);
});

test('figures are converted to base units, and figures that a card does not report are undefined', () => {
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

test('messages of nvidia-smi are not parsed as figures', () => {
  expect(parseGpuFigures('No devices were found\n')).toEqual([]);
  expect(parseGpuFigures('0, NVIDIA H100 80GB HBM3, 81559\n')).toEqual([]);
  expect(parseGpuFigures('')).toEqual([]);
});
