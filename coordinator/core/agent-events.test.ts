import { expect, test } from 'vitest';
import { agentHello, emptyCore, LEASE_MS } from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import type { Core } from './model.ts';
import { onDisconnect } from './past-agents.ts';
import type { Step } from './step.ts';
import { onTick } from './tick.ts';

const kinds = ({ changes }: Step) =>
  changes.flatMap((change) => (change.kind === 'agent' && change.event !== undefined ? [change.event.kind] : []));

const hello = (core: Core, incarnation: string, now: number) =>
  kinds(onHello(core, agentHello('a', incarnation, 2), now));
const beat = (core: Core, incarnation: string, now: number, leaving = false) =>
  onHeartbeat(core, { agentId: 'a', incarnation, held: [], leaving }, now);

test('an agent joins once, and a new stream of the same process causes no event', () => {
  const core = emptyCore();
  expect(hello(core, 'a1', 0)).toEqual(['joined']);
  expect(hello(core, 'a1', 10)).toEqual([]);
  expect(kinds(beat(core, 'a1', 20))).toEqual([]);
});

test('a silent agent is recorded as lost once, and its next heartbeat is recorded as a return', () => {
  const core = emptyCore();
  core.listeningSince = 0;
  hello(core, 'a1', 0);
  expect(kinds(onTick(core, LEASE_MS + 1))).toEqual(['lost']);
  expect(kinds(onTick(core, 3 * LEASE_MS))).toEqual([]);
  expect(kinds(beat(core, 'a1', 3 * LEASE_MS + 1))).toEqual(['returned']);
});

test('an agent that was asked to stop is recorded as left, and as joined when it starts again', () => {
  const core = emptyCore();
  hello(core, 'a1', 0);
  beat(core, 'a1', 10, true);
  expect(kinds(onDisconnect(core, { agentId: 'a', incarnation: 'a1' }))).toEqual(['left']);
  expect(hello(core, 'a2', 20)).toEqual(['joined']);
});

test('a restarted agent is recorded as joined; after a restart of the coordinator, a known agent is recorded as returned', () => {
  const core = emptyCore();
  hello(core, 'a1', 0);
  expect(hello(core, 'a2', 10)).toEqual(['joined']);
  const restarted = emptyCore();
  restarted.pastAgents.set('a', {
    ...{ instance: 'i', location: 'l', host: 'h', version: 'v', slots: 2, backend: 'wasm', gpus: [] },
    ...{ state: 'lost', connectedAt: 0, lastHeardAt: 0 },
  });
  expect(hello(restarted, 'a2', 20)).toEqual(['returned']);
});
