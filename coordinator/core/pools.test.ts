import { expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { packCapacity } from './packs.ts';
import { freeSlotsFor, presentPools } from './pools.ts';

const gpus = (...gib: number[]) => ({ slotFacts: gib.map((size) => ({ gpus: 1, vramBytes: size * 2 ** 30 })) });

test('slots of equal capability form one pool across machines', () => {
  const core = emptyCore();
  onHello(core, { ...agentHello('a', 'a1', 2), ...gpus(80, 80), labels: { zone: 'a', rack: '1' } }, 0);
  onHello(core, { ...agentHello('b', 'b1', 1), ...gpus(80), labels: { rack: '1', zone: 'a' } }, 0);
  expect([...presentPools(core).values()]).toMatchObject([{ slots: 3, free: 3, offered: 0 }]);
});

test('slots with different hardware, labels, backends or trainers are in different pools', () => {
  const core = emptyCore();
  onHello(core, { ...agentHello('a', 'a1', 2), ...gpus(80, 16) }, 0);
  onHello(core, { ...agentHello('b', 'b1', 1), ...gpus(80), labels: { zone: 'a' } }, 0);
  onHello(core, { ...agentHello('c', 'c1', 1), ...gpus(80), backend: 'tensorflow-gpu' }, 0);
  onHello(core, { ...agentHello('d', 'd1', 1), ...gpus(80), trainers: ['noop'] }, 0);
  expect(presentPools(core).size).toBe(5);
});

test('freeSlotsFor counts the idle slots that can run a sweep’s trials', () => {
  const core = emptyCore();
  onHello(core, { ...agentHello('a', 'a1', 2), ...gpus(80, 16) }, 0);
  onHello(core, agentHello('b', 'b1', 4), 0);
  expect(freeSlotsFor(core, addSweep(core, '1', 1))).toBe(6);
  expect(freeSlotsFor(core, addSweep(core, '2', 1, { resources: { vramBytes: 2 ** 30, labels: {} } }))).toBe(2);
  expect(freeSlotsFor(core, addSweep(core, '3', 1, { resources: { vramBytes: 2 ** 35, labels: {} } }))).toBe(1);
});

test('a pack is limited by the memory that its trials require', () => {
  expect(packCapacity(64, 80, undefined)).toBe(64);
  expect(packCapacity(64, 80, 8)).toBe(10);
  expect(packCapacity(4, 80, 8)).toBe(4);
});
