import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { agentHello, emptyCore, LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { type IdConflict, idConflict } from './id-conflict.ts';
import { type Core, newCore } from './model.ts';
import { onDisconnect } from './past-agents.ts';
import { onTick } from './tick.ts';

const ID = 'gpu1.lab';
const FIRST = { ...agentHello(ID, 'i1', 1), host: 'node7', instance: 'folder-1', location: 'place-1' };
const RESTARTED = { ...FIRST, incarnation: 'i2' };
const MOVED = { ...RESTARTED, location: 'place-2', host: 'node8' };
const OTHER = { ...MOVED, instance: 'folder-2' };
const HELLOS = { FIRST, RESTARTED, MOVED, OTHER };

let core: Core;
beforeEach(() => {
  core = emptyCore();
  onHello(core, FIRST, 0);
});

const disconnect = () => onDisconnect(core, { agentId: ID, incarnation: 'i1' });
const hear = (now: number, leaving = false) =>
  onHeartbeat(core, { agentId: ID, incarnation: 'i1', held: [], leaving }, now);

const inUse: Partial<IdConflict> = { kind: 'in use', host: 'node7' };
const wait: Partial<IdConflict> = { kind: 'wait', host: 'node7' };

describe('the id of a connected agent', () => {
  test.each([
    ['available when the agent reconnects', FIRST, undefined],
    ['available when the agent restarts on the same folder', RESTARTED, undefined],
    ['not available to an agent on a copy of the folder', MOVED, inUse],
    ['not available to an agent on another folder', OTHER, inUse],
  ])('the id of a connected agent is %s', (_, hello, expected) => {
    hear(1_000);
    const conflict = idConflict(core, hello, 1_000);
    if (expected === undefined) expect(conflict).toBeUndefined();
    else expect(conflict).toMatchObject(expected);
  });

  test('an agent with a new id has no conflict', () => {
    expect(idConflict(core, { ...OTHER, id: 'gpu1' }, 1_000)).toBeUndefined();
  });
});

describe('the id of an agent whose stream has ended', () => {
  test.each([
    ['available when the agent restarts on the same folder', RESTARTED, undefined],
    ['available when the folder has moved to another machine', MOVED, undefined],
    ['not yet available to an agent on another folder', OTHER, wait],
  ])('the id of an agent whose stream has ended is %s', (_, hello, expected) => {
    disconnect();
    const conflict = idConflict(core, hello, 1_000);
    if (expected === undefined) expect(conflict).toBeUndefined();
    else expect(conflict).toMatchObject({ ...expected, freeInMs: LEASE_MS - 1_000 });
  });

  test('the id of an agent is free once the agent has left', () => {
    hear(500, true);
    disconnect();
    expect(idConflict(core, OTHER, 600)).toBeUndefined();
  });
});

test('once an agent has been silent for more than half the lease duration, a conflict over its id is "wait" instead of "in use"', () => {
  expect(idConflict(core, OTHER, LEASE_MS / 2)).toMatchObject(inUse);
  expect(idConflict(core, OTHER, LEASE_MS / 2 + 1)).toMatchObject(wait);
});

test('the id of an agent is free once the agent is lost', () => {
  onTick(core, LEASE_MS + 1);
  expect(idConflict(core, OTHER, LEASE_MS + 1)).toBeUndefined();
});

test('for one lease duration after a restart of the coordinator, an id is reserved for its last holder', () => {
  const { id, ...facts } = { ...FIRST, state: 'lost' as const, connectedAt: 0, lastHeardAt: 0 };
  const restarted = newCore(LEASE_MS, 50_000);
  restarted.pastAgents.set(id, facts);
  for (const hello of [FIRST, RESTARTED]) expect(idConflict(restarted, hello, 50_000)).toBeUndefined();
  for (const hello of [MOVED, OTHER]) {
    expect(idConflict(restarted, hello, 50_000)).toMatchObject({ ...wait, freeInMs: LEASE_MS });
    expect(idConflict(restarted, hello, 50_001 + LEASE_MS)).toBeUndefined();
  }
  restarted.pastAgents.set(id, { ...facts, state: 'left' });
  expect(idConflict(restarted, OTHER, 50_000)).toBeUndefined();
  restarted.pastAgents.set(id, { ...facts, instance: '', location: '' });
  expect(idConflict(restarted, OTHER, 50_000)).toBeUndefined();
});

test('every agent gets its id within one lease duration after the last message of the previous holder', () => {
  const hello = fc.constantFrom(...Object.values(HELLOS));
  const steps = fc.array(fc.record({ afterMs: fc.nat(LEASE_MS), ends: fc.boolean() }), { maxLength: 5 });
  fc.assert(
    fc.property(hello, steps, fc.nat(3 * LEASE_MS), (given, before, silentMs) => {
      core = emptyCore();
      onHello(core, FIRST, 0);
      let now = 0;
      for (const { afterMs, ends } of before) {
        now += afterMs;
        hear(now);
        if (ends) disconnect();
      }
      const conflict = idConflict(core, given, now + silentMs);
      if (silentMs > LEASE_MS) expect(conflict).toBeUndefined();
      else if (conflict !== undefined) expect(conflict.freeInMs).toBe(LEASE_MS - silentMs);
    }),
  );
});
