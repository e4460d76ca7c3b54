import { expect, test } from 'vitest';
import { simulate } from './simulation.ts';
import { FAST_SEEDS, TIMEOUT_MS } from './suites.ts';

const REFUSALS = ['LEASED', 'SUPERSEDED', 'PAUSED', 'ENDED', 'NO_SESSION', 'DRAINED', 'OUTRANKED'];
/** The seeds must reach all of these, or they would prove little. */
const WANTED = [
  ...['kill', 'stop agent', 'lose power', 'agent leaves', 'kill worker', 'streams break', 'cut', 'freeze'],
  ...['nats dies', 'nats loses', 'nats sticks', 'nats forgets', 'disk full', 'clock jumps'],
  ...REFUSALS.map((code) => `claim refused: REFUSAL_CODE_${code}`),
  ...['SUPERSEDED', 'ENDED'].map((code) => `record refused: REFUSAL_CODE_${code}`),
  ...['oom', 'nan', 'crash', 'lost', 'timeout', 'preflight', 'drained'].map((failure) => `failed: ${failure}`),
  ...['pending', 'offered', 'succeeded', 'failed', 'cancelled'].map((state) => `trial ${state}`),
  ...['paused', 'running', 'stopping', 'stopped', 'killed', 'finished'].map((state) => `sweep ${state}`),
  ...['a failed trial retried', 'a cancelled trial retried', 'a retry asked for again'],
  ...['finished', 'stopped', 'killed'].map((state) => `a ${state} sweep runs again`),
  ...[
    'a pack',
    'resumed',
    'placed',
    'a contest',
    'another priority',
    'a grant beside a more urgent sweep',
    'an agent drained',
    'an agent undrained',
  ],
];

test(`every law holds and every sweep ends, whatever fails: ${FAST_SEEDS.length} seeds`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const reached = new Set<string>();
  for (const seed of FAST_SEEDS) {
    const outcome = await simulate(seed);
    expect(outcome.broken, `again: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
    for (const what of outcome.reached) reached.add(what);
  }
  expect(WANTED.filter((what) => !reached.has(what))).toEqual([]);
});

test('a seed is replayed exactly', { timeout: TIMEOUT_MS }, async () => {
  for (const seed of [3, 35, 112]) {
    const { trace } = await simulate(seed, undefined, true);
    expect(trace.length).toBeGreaterThan(50);
    expect((await simulate(seed, undefined, true)).trace).toEqual(trace);
  }
});
