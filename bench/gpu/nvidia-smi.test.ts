import { expect, test } from 'vitest';
import { sampleOf } from './nvidia-smi.ts';

test('a line of nvidia-smi is how busy the card is, and how full; other lines are none', () => {
  expect(sampleOf('37, 1024')).toEqual({ utilisation: 0.37, memoryMiB: 1024 });
  expect(sampleOf('[N/A], 1024')).toBeUndefined();
  expect(sampleOf('No devices were found')).toBeUndefined();
});
