import { expect, test } from 'vitest';
import { parseGpus } from './gpus.ts';

test('GPUs are read from the lines that nvidia-smi prints', () => {
  const text = '0, NVIDIA H100 80GB HBM3, 81559\n1, Tesla T4, 15360\n10, NVIDIA A100-SXM4-40GB, 40960\n';
  expect(parseGpus(text)).toEqual([
    { index: 0, name: 'NVIDIA H100 80GB HBM3', memoryBytes: 81559 * 2 ** 20 },
    { index: 1, name: 'Tesla T4', memoryBytes: 15360 * 2 ** 20 },
    { index: 10, name: 'NVIDIA A100-SXM4-40GB', memoryBytes: 40960 * 2 ** 20 },
  ]);
});

test('a name may hold commas', () => {
  expect(parseGpus('0, Quadro, special edition, 8192\n')).toMatchObject([{ name: 'Quadro, special edition' }]);
});

test('Windows line ends are taken', () => {
  expect(parseGpus('0, Tesla T4, 15360\r\n')).toMatchObject([{ index: 0, memoryBytes: 15360 * 2 ** 20 }]);
});

test('messages and GPUs without a readable memory are no GPUs', () => {
  expect(parseGpus('')).toEqual([]);
  expect(parseGpus('No devices were found\n')).toEqual([]);
  expect(parseGpus('0, Tesla T4, [N/A]\nUnable to determine the device handle: GPU is lost\n')).toEqual([]);
});
