import { expect, test } from 'vitest';
import { gpuStrategy } from './engine.ts';

test('TRAWL_GPU_PACKS accepts only "operations", which is the default, and "graph"', () => {
  expect(gpuStrategy({})).toBe('stacked');
  expect(gpuStrategy({ TRAWL_GPU_PACKS: '' })).toBe('stacked');
  expect(gpuStrategy({ TRAWL_GPU_PACKS: 'operations' })).toBe('stacked');
  expect(gpuStrategy({ TRAWL_GPU_PACKS: 'graph' })).toBe('pack-graph');
  for (const value of ['graphs', 'toString'])
    expect(() => gpuStrategy({ TRAWL_GPU_PACKS: value })).toThrow(
      `TRAWL_GPU_PACKS is ${value}, expected operations, graph`,
    );
});
