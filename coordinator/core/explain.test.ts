import { expect, test } from 'vitest';
import {
  addSweep,
  agentHello,
  emptyCore,
  keyOf,
  LEASE_MS,
  trialOf,
} from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { endAttempt, onOpen } from './attempts.ts';
import { onDrain } from './drain.ts';
import { explainWaiting } from './explain.ts';
import type { Core, Sweep } from './model.ts';
import { schedule } from './scheduler.ts';
import { Step } from './step.ts';
import { onPause } from './sweeps.ts';
import { onTick } from './tick.ts';

const NOW = 1_000;

function run(core: Core, sweep: Sweep, trial: string, agentId: string, slot = 0): void {
  const key = keyOf(sweep, trialOf(sweep, trial));
  expect(onOpen(core, { key, agentId, incarnation: '1', slot }, NOW, new Step())).toMatchObject({ granted: true });
}

const reasons = (core: Core, trial: string, now = NOW) => explainWaiting(core, '1', trial, now)?.reasons;

test('each agent is told of with what speaks against it', () => {
  const core = emptyCore();
  const slotFacts = [80, 16].map((gib) => ({ gpus: 1, vramBytes: gib * 2 ** 30 }));
  onHello(core, { ...agentHello('lost', '1', 1), slotFacts }, NOW - LEASE_MS - 4_000);
  onHello(core, { ...agentHello('drained', '1', 1), slotFacts }, NOW);
  onHello(core, { ...agentHello('ending', '1', 1), slotFacts }, NOW);
  onHello(core, { ...agentHello('mixed', '1', 2), slotFacts }, NOW);
  onHello(core, agentHello('cpu', '1', 1), NOW);
  onTick(core, NOW);
  onDrain(core, 'drained', { graceMs: 0, reason: 'new driver' }, NOW);
  onHeartbeat(core, { agentId: 'ending', incarnation: '1', held: [], leaving: true }, NOW);
  const sweep = addSweep(core, '1', 5, { resources: { vramBytes: 2 ** 35, labels: {} } });
  schedule(core, NOW);
  run(core, sweep, 't0', 'mixed');
  expect(explainWaiting(core, '1', 't4', NOW)).toEqual({
    reasons: ['2 trials of its sweep come before it', 'every slot that may run it is busy'],
    agents: [
      {
        ...{ agentId: 'cpu', fitSlots: 0, freeSlots: 0 },
        reasons: ['it has no GPU, and vram asks for 32 GiB'],
      },
      { agentId: 'drained', fitSlots: 0, freeSlots: 0, reasons: ['it is drained, and takes nothing new: new driver'] },
      { agentId: 'ending', fitSlots: 0, freeSlots: 0, reasons: ['it is about to end, and takes nothing new'] },
      { agentId: 'lost', fitSlots: 0, freeSlots: 0, reasons: ['it is lost: nothing was heard of it for 19 s'] },
      {
        ...{ agentId: 'mixed', fitSlots: 1, freeSlots: 0 },
        reasons: [
          'slot 1: it has 16 GiB of GPU memory, and vram asks for 32 GiB',
          'its slots that may run it are busy',
        ],
      },
    ],
  });
});

test('a sweep’s own reasons: paused, concurrency, a wait before a retry, who comes before', () => {
  const core = emptyCore();
  const retry = { oom: 1, crash: 2, timeout: 1, backoffMs: 8_000 };
  const sweep = addSweep(core, '1', 4, { concurrency: 2, retry });
  expect(reasons(core, 't0')).toEqual(['no agent has been heard of']);
  onHello(core, agentHello('a', '1', 2), NOW);
  schedule(core, NOW);
  expect(reasons(core, 't0')).toEqual(['it is offered: the next slot that may run it takes it']);
  run(core, sweep, 't0', 'a');
  expect(reasons(core, 't3')).toEqual([
    'its sweep has 1 trials running and 1 offered, and concurrency: 2',
    '1 trial of its sweep comes before it',
  ]);
  const failure = { class: 'crash', message: '' } as const;
  endAttempt(core, keyOf(sweep, trialOf(sweep, 't0'), 1), { outcome: 'failed', failure }, NOW, new Step());
  expect(reasons(core, 't0', NOW + 1_500)).toEqual(['it is tried again in 6.5 s']);
  onPause(core, '1', '');
  expect(reasons(core, 't3')).toEqual(['its sweep is paused']);
});

test('other sweeps that come first, or share the slots', () => {
  const core = emptyCore();
  onHello(core, agentHello('a', '1', 1), NOW);
  addSweep(core, '1', 9, { weight: 1 });
  addSweep(core, '2', 9, { weight: 3 });
  addSweep(core, '3', 9, {}, undefined, 5);
  addSweep(core, '4', 9, {}, undefined, -5);
  addSweep(core, '5', 9, { resources: { labels: { zone: 'elsewhere' } } }, undefined, 9);
  schedule(core, NOW);
  expect(reasons(core, 't0')).toEqual([
    'sweep 3 is more urgent (priority 5, this one 0): of it 7 trials wait',
    'its sweep shares slots with sweep 2: it gets 25 %, by weight',
  ]);
});

test('where nobody may run it, that is said before all', () => {
  const core = emptyCore();
  onHello(core, agentHello('a', '1', 1), NOW);
  addSweep(core, '1', 1, { resources: { labels: { zone: 'a' } } });
  schedule(core, NOW);
  expect(reasons(core, 't0')).toEqual(['no agent that is here may run it']);
});

test('what does not wait is not explained here', () => {
  const core = emptyCore();
  onHello(core, agentHello('a', '1', 1), NOW);
  const sweep = addSweep(core, '1', 1);
  schedule(core, NOW);
  run(core, sweep, 't0', 'a');
  expect(explainWaiting(core, '1', 't0', NOW)).toBeUndefined();
  expect(explainWaiting(core, '2', 't0', NOW)).toBeUndefined();
});
