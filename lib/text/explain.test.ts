import { expect, test } from 'vitest';
import type { AgentReason, WaitReason } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { Attempt, Trial } from '../../proto/gen/trawl/v1/types.ts';
import {
  agentReasonText,
  agentVerdictText,
  explainLines,
  explanationTexts,
  isBlocking,
  waitReasonText,
} from './explain.ts';

const trial = (fields: Partial<Trial>): Trial => Trial.fromPartial({ id: 't', sweepId: '7', ...fields });
const attempt = (fields: Partial<Attempt> = {}): Attempt =>
  Attempt.fromPartial({ number: 2, agentId: 'a', slot: 1, ...fields });

test.each<[WaitReason['reason'], string, boolean]>([
  [{ $case: 'noCoordinator', noCoordinator: {} }, 'no coordinator is running', true],
  [{ $case: 'sweepPaused', sweepPaused: { reason: '' } }, 'the sweep is paused', true],
  [{ $case: 'sweepPaused', sweepPaused: { reason: 'lunch' } }, 'the sweep is paused: lunch', true],
  [{ $case: 'offered', offered: {} }, 'offered: it will run on the next suitable slot that becomes free', false],
  [{ $case: 'backoff', backoff: { remainingMs: 6_520 } }, 'will be retried in 6.5 s', false],
  [
    { $case: 'concurrencyLimit', concurrencyLimit: { limit: 2, running: 1, offered: 1 } },
    'the sweep has reached its concurrency limit of 2 (1 running, 1 offered)',
    false,
  ],
  [{ $case: 'trialsAhead', trialsAhead: { trials: 1 } }, '1 trial of the sweep will run first', false],
  [{ $case: 'trialsAhead', trialsAhead: { trials: 2 } }, '2 trials of the sweep will run first', false],
  [
    { $case: 'higherPriority', higherPriority: { sweepId: '3', priority: 5, ownPriority: 0, pendingTrials: 4 } },
    'sweep 3 has higher priority (5, this sweep 0); 4 of its trials are pending',
    false,
  ],
  [
    { $case: 'sharedSlots', sharedSlots: { sweepIds: ['2', '4'], percent: 25 } },
    'the sweep shares the slots with sweeps 2, 4; its share by weight is 25%',
    false,
  ],
  [{ $case: 'noAgent', noAgent: {} }, 'no agent has connected yet', true],
  [{ $case: 'noEligibleAgent', noEligibleAgent: {} }, 'no connected agent can run it', true],
  [{ $case: 'slotsBusy', slotsBusy: {} }, 'every slot that can run it is busy', false],
  [undefined, 'a reason that this version of trawl cannot display', false],
])('the wait reason %j has its text', (reason, text, blocking) => {
  expect(waitReasonText({ reason })).toBe(text);
  expect(isBlocking({ reason })).toBe(blocking);
});

const noGpu = { kind: { $case: 'gpus', gpus: { required: 1, available: 0 } } } as const;

test.each<[AgentReason['reason'], string]>([
  [{ $case: 'lost', lost: { silentMs: 19_000 } }, 'lost: not heard from for 19 s'],
  [{ $case: 'leaving', leaving: {} }, 'shutting down'],
  [{ $case: 'drained', drained: { reason: '' } }, 'drained'],
  [{ $case: 'drained', drained: { reason: 'new driver' } }, 'drained: new driver'],
  [{ $case: 'unfit', unfit: { shortfall: noGpu, slots: [] } }, 'no GPU (the sweep requires 1)'],
  [{ $case: 'unfit', unfit: { shortfall: noGpu, slots: [0, 2] } }, 'slots 0, 2: no GPU (the sweep requires 1)'],
  [{ $case: 'busy', busy: { allSlots: true } }, 'all slots are busy'],
  [{ $case: 'busy', busy: { allSlots: false } }, 'the slots that can run it are busy'],
])('the agent reason %j has its text', (reason, text) => {
  expect(agentReasonText({ reason })).toBe(text);
});

test('the text about an agent first states whether the agent can run the trial', () => {
  const leaving: AgentReason = { reason: { $case: 'leaving', leaving: {} } };
  const busy: AgentReason = { reason: { $case: 'busy', busy: { allSlots: true } } };
  expect(agentVerdictText({ agentId: 'a', fitSlots: 0, freeSlots: 0, reasons: [leaving] })).toBe(
    'a: no: shutting down',
  );
  expect(agentVerdictText({ agentId: 'a', fitSlots: 2, freeSlots: 1, reasons: [] })).toBe(
    'a: can run it: 1 of 2 slots free',
  );
  expect(agentVerdictText({ agentId: 'a', fitSlots: 1, freeSlots: 0, reasons: [busy] })).toBe(
    'a: can run it in 1 slot; all slots are busy',
  );
});

test('the explanation of a pending trial lists its state, the reasons why it waits, its last failure, and the agents', () => {
  const lines = explainLines(
    {
      trial: trial({ state: 'TRIAL_STATE_PENDING' }),
      sinceMs: 1_000,
      reasons: [{ reason: { $case: 'backoff', backoff: { remainingMs: 2_000 } } }],
      agents: [{ agentId: 'a', fitSlots: 1, freeSlots: 1, reasons: [] }],
      lastAttempt: attempt({ failure: { class: 'FAILURE_CLASS_CRASH', message: 'boom' } }),
    },
    16_000,
  );
  expect(lines).toEqual([
    expect.stringMatching(/^trial t of sweep 7: pending for /),
    '  will be retried in 2 s',
    '  attempt 2 failed on a: crash: boom',
    'agents:',
    '  a: can run it: 1 of 1 slot free',
  ]);
});

test.each<[Partial<Trial>, Attempt | undefined, string]>([
  [{ state: 'TRIAL_STATE_RUNNING', epoch: 3 }, attempt(), 'running: attempt 2 on agent a, slot 1; 3 epochs reported'],
  [{ state: 'TRIAL_STATE_SUCCEEDED' }, attempt(), 'succeeded: attempt 2 on agent a, slot 1'],
  [
    { state: 'TRIAL_STATE_STOPPED', stopReason: 'asha: 0.9 ranks 2 of 2 at rung 1; the top 1 continues' },
    attempt(),
    'stopped early by asha: 0.9 ranks 2 of 2 at rung 1; the top 1 continues; attempt 2 on agent a, slot 1',
  ],
  [
    { state: 'TRIAL_STATE_FAILED', failure: { class: 'FAILURE_CLASS_OOM', message: 'no memory' } },
    attempt(),
    'failed: attempt 2 on agent a, slot 1: oom: no memory; retries used up',
  ],
  [
    { state: 'TRIAL_STATE_FAILED', failure: { class: 'FAILURE_CLASS_NAN', message: 'loss is NaN' } },
    attempt(),
    'failed: attempt 2 on agent a, slot 1: nan: loss is NaN; nan is never retried',
  ],
  [{ state: 'TRIAL_STATE_CANCELLED' }, undefined, 'cancelled before it ran'],
  [{ state: 'TRIAL_STATE_CANCELLED' }, attempt(), 'cancelled: attempt 2 on agent a, slot 1'],
])('the explanation of the trial %j names its state', (fields, lastAttempt, text) => {
  expect(explanationTexts({ trial: trial(fields), sinceMs: 0, reasons: [], agents: [], lastAttempt })).toEqual([text]);
});
