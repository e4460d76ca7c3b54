import { expect, test } from 'vitest';
import { addSweep, agentHello, emptyCore } from '../../test/support/coordinator/sample-core.ts';
import { onHello } from './agents.ts';
import { packThatFits } from './packs.ts';
import { freeSlotsFor, presentPools } from './pools.ts';

const gpus = (...gib: number[]) => ({ slotFacts: gib.map((size) => ({ gpus: 1, vramBytes: size * 2 ** 30 })) });

test('slots that have the same are one pool, whichever machines they are of', () => {
  const core = emptyCore();
  onHello(core, { ...agentHello('a', 'a1', 2), ...gpus(80, 80), labels: { zone: 'a', rack: '1' } }, 0);
  onHello(core, { ...agentHello('b', 'b1', 1), ...gpus(80), labels: { rack: '1', zone: 'a' } }, 0);
  expect([...presentPools(core).values()]).toMatchObject([{ slots: 3, free: 3, offered: 0 }]);
});

test('slots of one machine that differ are of different pools, and so are those of other labels, backends and trainers', () => {
  const core = emptyCore();
  onHello(core, { ...agentHello('a', 'a1', 2), ...gpus(80, 16) }, 0);
  onHello(core, { ...agentHello('b', 'b1', 1), ...gpus(80), labels: { zone: 'a' } }, 0);
  onHello(core, { ...agentHello('c', 'c1', 1), ...gpus(80), backend: 'tensorflow-gpu' }, 0);
  onHello(core, { ...agentHello('d', 'd1', 1), ...gpus(80), trainers: ['noop'] }, 0);
  expect(presentPools(core).size).toBe(5);
});

test('free slots are counted that may run a sweep’s trials', () => {
  const core = emptyCore();
  onHello(core, { ...agentHello('a', 'a1', 2), ...gpus(80, 16) }, 0);
  onHello(core, agentHello('b', 'b1', 4), 0);
  expect(freeSlotsFor(core, addSweep(core, '1', 1))).toBe(6);
  expect(freeSlotsFor(core, addSweep(core, '2', 1, { resources: { vramBytes: 2 ** 30, labels: {} } }))).toBe(2);
  expect(freeSlotsFor(core, addSweep(core, '3', 1, { resources: { vramBytes: 2 ** 35, labels: {} } }))).toBe(1);
});

test('a pack is no larger than there is memory for what each of its trials asks for', () => {
  expect(packThatFits(64, 80, undefined)).toBe(64);
  expect(packThatFits(64, 80, 8)).toBe(10);
  expect(packThatFits(4, 80, 8)).toBe(4);
});
