import { expect, test } from 'vitest';
import { parseGpuIds, visibleIndexes } from './visible-gpus.ts';

const GPUS = parseGpuIds('0, GPU-aa11-0\n1, GPU-ab22-1\r\n2, GPU-cc33-2\nNo devices were found\n3, GPU-dd44-3\n');

test.each([
  [undefined, [0, 1, 2, 3]],
  ['2,3', [2, 3]],
  [' 3 , 1', [3, 1]],
  ['', []],
  ['-1', []],
  ['0,-1,2', [0]],
  ['0,9,2', [0]],
  ['1,1', []],
  ['NoDevFiles', []],
  ['GPU-cc33-2', [2]],
  ['GPU-ab,GPU-aa', [1, 0]],
  ['GPU-a', []],
  ['GPU-d,GPU-dd44', []],
  ['GPU-d,0', [3]],
  ['0,GPU-d', [0]],
  ['MIG-5f1e', []],
])('CUDA_VISIBLE_DEVICES=%j makes %j visible', (list, indexes) => {
  expect(visibleIndexes(list, GPUS)).toEqual(indexes);
});
