import { expect, test } from 'vitest';
import {
  addSweep,
  agentHello,
  emptyCore,
  LEASE_MS,
  sampleKey,
  sampleTrial,
} from '../../test/support/coordinator/sample-core.ts';
import { onHeartbeat, onHello } from './agents.ts';
import { endAttempt } from './attempt-ends.ts';
import { onOpen } from './attempts.ts';
import { onDrain } from './drain.ts';
import { explainWaiting } from './explain.ts';
import type { Core, Sweep } from './model.ts';
import { schedule } from './scheduler.ts';
import { onPause } from './sweeps.ts';
import { onTick } from './tick.ts';

const NOW = 1_000;
const GIB = 2 ** 30;

function run(core: Core, sweep: Sweep, trial: string, agentId: string, slot = 0): void {
  const key = sampleKey(sweep, sampleTrial(sweep, trial));
  expect(onOpen(core, { key, agentId, incarnation: '1', slot }, NOW).answer).toMatchObject({ granted: true });
}

const reasons = (core: Core, trial: string, now = NOW) =>
  explainWaiting(core, '1', trial, now)?.reasons.map(({ reason }) => reason);

test('the explanation of a pending trial has a verdict with reasons for each agent', () => {
  const core = emptyCore();
  const slotFacts = [80, 16].map((gib) => ({ gpus: 1, vramBytes: gib * GIB }));
  onHello(core, { ...agentHello('lost', '1', 1), slotFacts }, NOW - LEASE_MS - 4_000);
  onHello(core, { ...agentHello('drained', '1', 1), slotFacts }, NOW);
  onHello(core, { ...agentHello('leaving', '1', 1), slotFacts }, NOW);
  onHello(core, { ...agentHello('mixed', '1', 2), slotFacts }, NOW);
  onHello(core, agentHello('cpu', '1', 1), NOW);
  onTick(core, NOW);
  onDrain(core, { agentId: 'drained', graceMs: 0, reason: 'new driver' }, NOW);
  onHeartbeat(core, { agentId: 'leaving', incarnation: '1', held: [], leaving: true }, NOW);
  const sweep = addSweep(core, '1', 5, { resources: { vramBytes: 32 * GIB, labels: {} } });
  schedule(core, NOW);
  run(core, sweep, 't0', 'mixed');
  const none = { fitSlots: 0, freeSlots: 0 };
  const vram = (availableBytes: number) => {
    return { kind: { $case: 'vram', vram: { requiredBytes: 32 * GIB, availableBytes } } };
  };
  expect(explainWaiting(core, '1', 't4', NOW)).toEqual({
    reasons: [
      { reason: { $case: 'trialsAhead', trialsAhead: { trials: 2 } } },
      { reason: { $case: 'slotsBusy', slotsBusy: {} } },
    ],
    agents: [
      {
        agentId: 'cpu',
        ...none,
        reasons: [{ reason: { $case: 'unfit', unfit: { shortfall: vram(0), slots: [] } } }],
      },
      { agentId: 'drained', ...none, reasons: [{ reason: { $case: 'drained', drained: { reason: 'new driver' } } }] },
      { agentId: 'leaving', ...none, reasons: [{ reason: { $case: 'leaving', leaving: {} } }] },
      { agentId: 'lost', ...none, reasons: [{ reason: { $case: 'lost', lost: { silentMs: LEASE_MS + 4_000 } } }] },
      {
        agentId: 'mixed',
        fitSlots: 1,
        freeSlots: 0,
        reasons: [
          { reason: { $case: 'unfit', unfit: { shortfall: vram(16 * GIB), slots: [1] } } },
          { reason: { $case: 'busy', busy: { allSlots: false } } },
        ],
      },
    ],
  });
});

test('a trial can be pending because of its own sweep: a pause, the concurrency limit, a backoff, or trials ahead of it', () => {
  const core = emptyCore();
  const retry = { oom: 1, crash: 2, timeout: 1, backoffMs: 8_000 };
  const sweep = addSweep(core, '1', 4, { concurrency: 2, retry });
  expect(reasons(core, 't0')).toEqual([{ $case: 'noAgent', noAgent: {} }]);
  onHello(core, agentHello('a', '1', 2), NOW);
  schedule(core, NOW);
  expect(reasons(core, 't0')).toEqual([{ $case: 'offered', offered: {} }]);
  run(core, sweep, 't0', 'a');
  expect(reasons(core, 't3')).toEqual([
    { $case: 'concurrencyLimit', concurrencyLimit: { limit: 2, running: 1, offered: 1 } },
    { $case: 'trialsAhead', trialsAhead: { trials: 1 } },
  ]);
  const failure = { class: 'crash', message: '' } as const;
  endAttempt(core, { key: sampleKey(sweep, sampleTrial(sweep, 't0'), 1), end: { outcome: 'failed', failure } }, NOW);
  expect(reasons(core, 't0', NOW + 1_500)).toEqual([{ $case: 'backoff', backoff: { remainingMs: 6_500 } }]);
  onPause(core, { sweepId: '1', reason: '' });
  expect(reasons(core, 't3')).toEqual([{ $case: 'sweepPaused', sweepPaused: { reason: '' } }]);
});

test('sweeps of higher priority, and sweeps that share the slots, are reasons why a trial is pending', () => {
  const core = emptyCore();
  onHello(core, agentHello('a', '1', 1), NOW);
  addSweep(core, '1', 9, { weight: 1 });
  addSweep(core, '2', 9, { weight: 3 });
  addSweep(core, '3', 9, {}, undefined, 5);
  addSweep(core, '4', 9, {}, undefined, -5);
  addSweep(core, '5', 9, { resources: { labels: { zone: 'elsewhere' } } }, undefined, 9);
  schedule(core, NOW);
  expect(reasons(core, 't0')).toEqual([
    { $case: 'higherPriority', higherPriority: { sweepId: '3', priority: 5, ownPriority: 0, pendingTrials: 7 } },
    { $case: 'sharedSlots', sharedSlots: { sweepIds: ['2'], percent: 25 } },
  ]);
});

test('if no connected agent can run a trial, the explanation gives only this reason', () => {
  const core = emptyCore();
  onHello(core, agentHello('a', '1', 1), NOW);
  addSweep(core, '1', 1, { resources: { labels: { zone: 'a' } } });
  schedule(core, NOW);
  expect(reasons(core, 't0')).toEqual([{ $case: 'noEligibleAgent', noEligibleAgent: {} }]);
});

test('there is no explanation for a running or unknown trial', () => {
  const core = emptyCore();
  onHello(core, agentHello('a', '1', 1), NOW);
  const sweep = addSweep(core, '1', 1);
  schedule(core, NOW);
  run(core, sweep, 't0', 'a');
  expect(explainWaiting(core, '1', 't0', NOW)).toBeUndefined();
  expect(explainWaiting(core, '2', 't0', NOW)).toBeUndefined();
});
