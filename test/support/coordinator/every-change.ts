/** A history with a change of every kind. */
import type { Change } from '../../../coordinator/core/step.ts';
import { PLAIN_POLICY } from './sample-core.ts';

const sweepId = '1';
const [FIRST, SECOND] = [
  { sweepId, trialId: 't0', attempt: 1 },
  { sweepId, trialId: 't1', attempt: 1 },
];
const AT = 1_700_000_000_000;
const SHA = 'ab'.repeat(32);
const place = { incarnation: 'i', slot: 0, pack: 'p', gpus: 0.5, backend: 'wasm', resumedFrom: 0, speculative: false };
const state = { search: 0, created: 4, points: 4, excluded: [1], duplicates: 0, repeated: 0 };
const checkpoint = { name: 'checkpoint', kind: 'checkpoint', epoch: 1, size: 10, sha256: SHA } as const;
const crash = { class: 'crash', message: "it said 'no'" } as const;
const version = {
  number: 2,
  fileName: 's.yaml',
  text: 'trainer: noop\nname: new\n',
  fingerprint: 'g',
  name: 'new',
  axes: ['a'],
  configs: 4,
  replicates: 1,
  excluded: 1,
  policy: PLAIN_POLICY,
  priority: 3,
  detail: 'version 2',
};

/** The kinds of changes. The compiler reports a kind that is missing here. */
export const CHANGE_KINDS: Readonly<Record<Change['kind'], true>> = {
  created: true,
  suggested: true,
  inherited: true,
  searched: true,
  trial: true,
  retried: true,
  granted: true,
  promoted: true,
  ended: true,
  straggler: true,
  cleared: true,
  report: true,
  rung: true,
  advanced: true,
  log: true,
  program: true,
  notice: true,
  warning: true,
  facts: true,
  identical: true,
  artifact: true,
  agent: true,
  drain: true,
  quarantine: true,
  sweep: true,
  applied: true,
  priority: true,
};

/** The changes of a sweep with the trials t0, t1 and t2, in an order in which a coordinator can make them. */
export const EVERY_CHANGE: readonly Change[] = [
  {
    kind: 'agent',
    agentId: 'a',
    facts: {
      instance: 'x',
      location: 'here',
      host: 'h',
      version: '1',
      slots: 2,
      backend: 'wasm',
      gpus: ['H200'],
      state: 'connected',
      connectedAt: AT,
      lastHeardAt: AT,
    },
    event: { kind: 'joined', detail: 'from h' },
  },
  {
    kind: 'created',
    sweepId,
    trial: { trialId: 't3', configId: 'c3', index: 3, seed: 2 ** 40, parameters: { a: 1e-7 } },
    state,
  },
  {
    kind: 'suggested',
    sweepId,
    suggestion: { number: 0, configId: 'c3', record: { values: { a: 1 }, attributes: 'x' } },
  },
  { kind: 'searched', sweepId, state: { ...state, points: 5 }, done: false },
  { kind: 'trial', sweepId, trialId: 't0', state: 'offered', detail: '', failure: undefined },
  { kind: 'granted', key: FIRST, agentId: 'a', ...place },
  {
    kind: 'program',
    key: FIRST,
    seq: 1,
    at: AT,
    program: {
      attempt: 0,
      command: ['python', 't.py'],
      interpreter: '/usr/bin/python',
      python: '3.12',
      packages: 'torch==2\n',
    },
  },
  { kind: 'report', key: FIRST, seq: 2, at: AT, epoch: 0.5, metrics: { test_loss: 0.5, psnr: 30 } },
  { kind: 'log', key: FIRST, seq: 3, at: AT, text: 'one\ntwo\n' },
  { kind: 'artifact', key: FIRST, seq: 4, at: AT, artifact: checkpoint },
  {
    kind: 'artifact',
    key: FIRST,
    seq: 5,
    at: AT,
    artifact: { name: 'dir/model', kind: 'file', epoch: 1, size: 2 ** 41, sha256: SHA },
  },
  { kind: 'notice', key: FIRST, seq: 6, at: AT, warning: 'missing_metric', message: 'no metric', count: 3 },
  { kind: 'rung', key: FIRST, at: AT, rung: 1, step: 1, value: 0.5, detail: 'best of 1' },
  { kind: 'advanced', sweepId, trialId: 't0', rung: 1, detail: 'promoted' },
  { kind: 'straggler', key: FIRST, detail: 'three times as long as others' },
  { kind: 'report', key: FIRST, seq: 7, at: AT + 1, epoch: 2, metrics: { test_loss: 0.25 } },
  {
    kind: 'inherited',
    sweepId,
    trial: { trialId: 't4', configId: 'c4', index: 4, seed: 0, parameters: { a: 2 } },
    origin: { parent: 't0', replaces: 't2', rung: 2, checkpoint: { ...checkpoint, attempt: 1 }, detail: 'a child' },
  },
  { kind: 'granted', key: SECOND, agentId: 'b', ...place },
  { kind: 'granted', key: { ...SECOND, attempt: 2 }, agentId: 'b', ...place, speculative: true },
  { kind: 'artifact', key: SECOND, seq: 1, at: AT, artifact: { ...checkpoint, size: 20 } },
  {
    kind: 'ended',
    key: SECOND,
    end: { outcome: 'failed', failure: crash },
    early: true,
    free: true,
    leasedMs: 1_500.5,
    used: { slotMs: 1_500.5, gpuMs: 750.25 },
  },
  { kind: 'promoted', key: { ...SECOND, attempt: 2 } },
  { kind: 'cleared', sweepId, agentId: 'b' },
  {
    kind: 'ended',
    key: FIRST,
    end: { outcome: 'succeeded' },
    early: false,
    free: false,
    leasedMs: 10,
    used: undefined,
  },
  { kind: 'trial', sweepId, trialId: 't0', state: 'succeeded', detail: '', failure: undefined },
  { kind: 'trial', sweepId, trialId: 't2', state: 'failed', detail: 'gave up', failure: crash },
  {
    kind: 'retried',
    sweepId,
    trialId: 't2',
    requestId: 'q',
    attempts: 0,
    failure: 'crash',
    resumesFrom: 0,
  },
  {
    kind: 'warning',
    sweepId,
    warning: 'missing_metric',
    shown: { message: 'none', count: 1, since: AT },
    appeared: true,
  },
  { kind: 'facts', sweepId, reported: ['psnr', 'test_loss'], lacking: 1 },
  { kind: 'identical', sweepId, configId: 'c0', replicates: 2 },
  { kind: 'drain', agentId: 'a', drain: { graceLeftMs: 5, reason: 'repair', by: 'bob', since: AT }, isNew: true },
  {
    kind: 'quarantine',
    agentId: 'b',
    quarantine: { sweepIds: ['1'], since: AT, reason: 'fails early', failedProbes: 0 },
    sweepIds: ['1'],
    detail: 'quarantined',
  },
  { kind: 'sweep', sweepId, state: 'paused', reason: 'to look' },
  { kind: 'applied', sweepId, version, planned: 6, state, done: false, dropped: ['t2'], restored: [] },
  { kind: 'sweep', sweepId, state: 'running', reason: undefined },
  { kind: 'priority', sweepId, priority: 7, before: 3 },
];
