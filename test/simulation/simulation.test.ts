import { expect, test } from 'vitest';
import { BUGS } from './bugs.ts';
import { simulate } from './simulation.ts';

/** Seeds 1 to this; `npm run simulate` goes further. */
const SEEDS = 250;
/** For a machine that does much else. */
const TIMEOUT_MS = 300_000;

const REFUSALS = ['LEASED', 'SUPERSEDED', 'PAUSED', 'ENDED', 'NO_SESSION', 'DRAINED', 'OUTRANKED'];
/** What the seeds must bring about, or they would prove little. */
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

test(
  `whatever befalls a cluster, every law holds and every sweep ends: ${SEEDS} seeds`,
  async () => {
    const reached = new Set<string>();
    for (let seed = 1; seed <= SEEDS; seed++) {
      const outcome = await simulate(seed);
      expect(outcome.broken, `again: npm run simulate -- --seed ${seed} --trace`).toBeUndefined();
      for (const what of outcome.reached) reached.add(what);
    }
    expect(WANTED.filter((what) => !reached.has(what))).toEqual([]);
  },
  TIMEOUT_MS,
);

test('a seed is replayed exactly', async () => {
  for (const seed of [3, 35, 112]) {
    const { trace } = await simulate(seed, undefined, true);
    expect(trace.length).toBeGreaterThan(50);
    expect((await simulate(seed, undefined, true)).trace).toEqual(trace);
  }
});

test.each(Object.entries(BUGS))(
  'finds %s',
  async (_name, bug) => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { broken } = await simulate(seed, bug);
      if (broken !== undefined) return;
    }
    expect.unreachable(`${SEEDS} seeds did not find that ${bug.about}`);
  },
  TIMEOUT_MS,
);
