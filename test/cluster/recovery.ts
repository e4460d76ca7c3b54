/** Measures how long a fault interrupted the work on a sweep. The times are read from the store. */
import { expect } from 'vitest';
import { exactlyOnce, type NoopSweep, noopSweepText } from '../faults/noop-sweep.ts';
import { sweepFile } from '../support/folder.ts';
import type { Stored, StoredAttempt } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { AGENTS, SLOTS_EACH, type SpreadCluster } from './spread-cluster.ts';

/** A sweep of two-second trials. Without faults, the sweep takes half a minute on four slots. */
const SWEEP: NoopSweep = { trials: 60, epochs: 8, epochMs: 250 };

/** A fault and the agents whose slots the fault affected. */
export interface FaultPeriod {
  readonly what: string;
  /** When the fault began, in Unix milliseconds. */
  readonly beganAt: number;
  /** When the fault was repaired. Undefined if the fault was not repaired. */
  readonly repairedAt?: number;
  /** The agents whose slots must become busy again. Default: all. */
  readonly agents?: readonly string[];
}

/** Submits a sweep and waits until every slot is busy. */
export async function busySweep(cluster: SpreadCluster, folder: string): Promise<string> {
  const file = sweepFile(folder, noopSweepText(SWEEP));
  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  await until('every slot is busy', async () => {
    return (await cluster.sweep(sweep))?.counts?.running === AGENTS.length * SLOTS_EACH;
  });
  return sweep;
}

/** Waits for the sweep's end, checks the store, and prints the recovery times. */
export async function expectRecovery(cluster: SpreadCluster, sweep: string, done: FaultPeriod): Promise<Stored> {
  const stored = await exactlyOnce(cluster, sweep, SWEEP);
  const { what, beganAt, repairedAt, agents = AGENTS } = done;
  const classes = stored.attempts.flatMap(({ failureClass }) => failureClass ?? []);
  const since = repairedAt ?? beganAt;
  const lines = [
    `${what}${repairedAt === undefined ? '' : `, for ${seconds(repairedAt - beganAt)}`}`,
    `the longest time without a new grant: ${seconds(longestPause(stored))}`,
    `the longest time that a slot waited: ${seconds(longestWait(stored))}`,
    `${agents.join(', ')} had a new trial in each slot after ${seconds(allGranted(stored, since, agents) - since)}`,
    `failed attempts: ${classes.join(', ') || 'none'}`,
  ];
  console.log(lines.join('; '));
  return stored;
}

function longestPause({ attempts }: Stored): number {
  const times = attempts.map(({ grantedAt }) => grantedAt).sort((a, b) => a - b);
  return Math.max(...times.slice(1).map((at, before) => at - (times[before] ?? at)));
}

function longestWait(stored: Stored): number {
  const waits = AGENTS.flatMap((agent) => slotsOf(stored, agent)).flatMap((attempts) =>
    attempts.slice(1).map(({ grantedAt }, before) => grantedAt - (attempts[before]?.endedAt ?? grantedAt)),
  );
  return Math.max(...waits);
}

function allGranted(stored: Stored, since: number, agents: readonly string[]): number {
  const firsts = agents
    .flatMap((agent) => slotsOf(stored, agent))
    .map((attempts) => attempts.find(({ grantedAt }) => grantedAt > since)?.grantedAt);
  expect(firsts, 'a slot got no more trials').not.toContain(undefined);
  return Math.max(...firsts.map((at) => at ?? since));
}

function slotsOf({ attempts }: Stored, agent: string): StoredAttempt[][] {
  return Array.from({ length: SLOTS_EACH }, (_, slot) =>
    attempts.filter((one) => one.agent === agent && one.slot === slot).sort((a, b) => a.grantedAt - b.grantedAt),
  );
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
