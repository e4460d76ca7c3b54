import { expect, test } from 'vitest';
import { simulate } from './simulation.ts';
import { FAST_SEEDS, TIMEOUT_MS } from './suites.ts';
import { testSeeds } from './test-seeds.ts';

const REJECTIONS = ['LEASED', 'SUPERSEDED', 'PAUSED', 'ENDED', 'NO_SESSION', 'DRAINED', 'OUTRANKED'];
const EXPECTED = [
  ...['kill', 'stop agent', 'lose power', 'agent leaves', 'kill worker', 'streams break', 'cut', 'freeze'],
  ...['nats dies', 'nats loses', 'nats sticks', 'nats forgets', 'disk full', 'clock jumps'],
  ...REJECTIONS.map((code) => `claim rejected: REFUSAL_CODE_${code}`),
  ...['SUPERSEDED', 'ENDED'].map((code) => `record rejected: REFUSAL_CODE_${code}`),
  ...['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight', 'drained'].map((failure) => `failed: ${failure}`),
  ...['pending', 'offered', 'held', 'succeeded', 'stopped', 'failed', 'cancelled'].map((state) => `trial ${state}`),
  ...['paused', 'running', 'stopping', 'stopped', 'killed', 'finished'].map((state) => `sweep ${state}`),
  ...['a failed trial retried', 'a cancelled trial retried', 'a repeated retry request'],
  ...['finished', 'stopped', 'killed'].map((state) => `a ${state} sweep runs again`),
  ...[
    'a pack',
    'resumed',
    'placed',
    'a contest',
    'a priority change',
    'a grant while a sweep of higher priority ran',
    'an agent drained',
    'an agent undrained',
    'a second attempt',
    'a superseded attempt',
    'a promoted attempt',
    'a killed trial',
    'a trial created while its sweep runs',
    'an early stop',
    'no early stop at the last epoch',
    'a promotion of a held trial',
    'a promotion of a running trial',
    'a held trial stopped at the end of its sweep',
    ...['dies before its answer', 'dies after its answer', 'hangs'].map((failure) => `a sampler ${failure}`),
    'a suggestion that depends on a result',
    'a new version with further points',
    'a restored point',
    ...['running', 'succeeded', 'pending', 'offered'].map((state) => `a dropped ${state} trial`),
  ],
];

testSeeds('every invariant holds and every sweep ends despite faults', FAST_SEEDS, { expected: EXPECTED });

test('the simulation gives the same trace if a seed is replayed', { timeout: TIMEOUT_MS }, async () => {
  for (const seed of [3, 35, 112]) {
    const { trace } = await simulate(seed, undefined, true);
    expect(trace.length).toBeGreaterThan(50);
    expect((await simulate(seed, undefined, true)).trace).toEqual(trace);
  }
});
