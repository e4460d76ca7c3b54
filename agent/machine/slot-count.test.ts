import { expect, test } from 'vitest';
import { slotCount } from './slot-count.ts';

const nothing = { slots: undefined, slotsPerGpu: undefined };

test('a machine with GPUs has a slot for each, one without has a slot a core', () => {
  expect(slotCount(nothing, 4, 16)).toBe(4);
  expect(slotCount(nothing, 0, 16)).toBe(16);
});

test('slots may be asked for, in all or on each GPU', () => {
  expect(slotCount({ ...nothing, slots: 3 }, 4, 16)).toBe(3);
  expect(slotCount({ ...nothing, slotsPerGpu: 3 }, 4, 16)).toBe(12);
});

test('slots on GPUs that there are not are refused, and so is asking twice', () => {
  expect(() => slotCount({ ...nothing, slotsPerGpu: 2 }, 0, 16)).toThrow(/none is seen/);
  expect(() => slotCount({ slots: 2, slotsPerGpu: 2 }, 4, 16)).toThrow(/twice/);
});
