import { expect, test } from 'vitest';
import { testFolder } from '../../test/support/folder.ts';
import { until } from '../../test/support/until.ts';
import { busyShare, MachineWatch } from './machine-watch.ts';

test('the busy share is the part of the time in which the cores were not idle', () => {
  expect(busyShare({ idle: 100, total: 200 }, { idle: 125, total: 300 })).toBe(0.75);
  expect(busyShare({ idle: 100, total: 200 }, { idle: 100, total: 200 })).toBeUndefined();
  expect(busyShare({ idle: 100, total: 200 }, { idle: 400, total: 300 })).toBe(0);
});

test('the memory and the disk of this machine are measured', async () => {
  const watch = new MachineWatch(testFolder());
  const { memoryUsedBytes = 0, memoryTotalBytes = 0 } = watch.figures();
  expect(memoryTotalBytes).toBeGreaterThan(0);
  expect(memoryUsedBytes).toBeLessThanOrEqual(memoryTotalBytes);
  await until('a measurement of the disk', () => watch.figures().diskTotalBytes !== undefined);
  const { diskFreeBytes = -1, diskTotalBytes = 0 } = watch.figures();
  expect(diskFreeBytes).toBeGreaterThanOrEqual(0);
  expect(diskFreeBytes).toBeLessThanOrEqual(diskTotalBytes);
  watch.stop();
});
