import { expect, test } from 'vitest';
import { parseSample } from './nvidia-smi.ts';

test('a line of nvidia-smi has the utilization and the used memory; other lines are ignored', () => {
  expect(parseSample('37, 1024')).toEqual({ utilization: 0.37, memoryMiB: 1024 });
  expect(parseSample('[N/A], 1024')).toBeUndefined();
  expect(parseSample('No devices were found')).toBeUndefined();
});
