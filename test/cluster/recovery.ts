/** How long the work stood still, as the store tells it. */
import { expect } from 'vitest';
import { exactlyOnce, type NoopSweep, noopSweepText } from '../faults/noop-sweep.ts';
import { sweepFile } from '../support/folder.ts';
import type { Stored, StoredAttempt } from '../support/stored.ts';
import { until } from '../support/until.ts';
import { AGENTS, SLOTS_EACH, type SpreadCluster } from './spread-cluster.ts';

/** Trials of two seconds: half a minute on four slots when nothing happens. */
const SWEEP: NoopSweep = { trials: 60, epochs: 8, epochMs: 250 };

/** What was done, and to which agents' slots. */
export interface Done {
  readonly what: string;
  /** Unix times in milliseconds. */
  readonly beganAt: number;
  /** When it was undone; undefined: it never was. */
  readonly mendedAt?: number;
  /** Whose slots have to work again; all agents' unless said. */
  readonly agents?: readonly string[];
}

/** A sweep of which every slot is at work. */
export async function sweepAtWork(cluster: SpreadCluster, folder: string): Promise<string> {
  const file = sweepFile(folder, noopSweepText(SWEEP));
  const { sweep } = await cluster.json<{ sweep: string }>('submit', file);
  await until('every slot is at work', async () => {
    return (await cluster.sweep(sweep))?.counts?.running === AGENTS.length * SLOTS_EACH;
  });
  return sweep;
}

/** Waits for the sweep's end, looks at what is stored, and says how long recovery took. */
export async function recovered(cluster: SpreadCluster, sweep: string, done: Done): Promise<Stored> {
  const stored = await exactlyOnce(cluster, sweep, SWEEP);
  const { what, beganAt, mendedAt, agents = AGENTS } = done;
  const classes = stored.attempts.flatMap(({ failureClass }) => failureClass ?? []);
  const since = mendedAt ?? beganAt;
  const lines = [
    `${what}${mendedAt === undefined ? '' : `, for ${seconds(mendedAt - beganAt)}`}`,
    `the longest time without a new grant: ${seconds(longestPause(stored))}`,
    `the longest time that a slot waited: ${seconds(longestWait(stored))}`,
    `${agents.join(', ')} had a new trial in each slot ${seconds(allGranted(stored, since, agents) - since)} later`,
    `attempts it cost: ${classes.join(', ') || 'none'}`,
  ];
  console.log(lines.join('; '));
  return stored;
}

/** Between two grants, whoever got them. */
function longestPause({ attempts }: Stored): number {
  const times = attempts.map(({ grantedAt }) => grantedAt).sort((a, b) => a - b);
  return Math.max(...times.slice(1).map((at, before) => at - (times[before] ?? at)));
}

/** Between a slot's attempt and its next. */
function longestWait(stored: Stored): number {
  const waits = AGENTS.flatMap((agent) => slotsOf(stored, agent)).flatMap((attempts) =>
    attempts.slice(1).map(({ grantedAt }, before) => grantedAt - (attempts[before]?.endedAt ?? grantedAt)),
  );
  return Math.max(...waits);
}

/** When the last of the agents' slots got its first attempt since then. */
function allGranted(stored: Stored, since: number, agents: readonly string[]): number {
  const firsts = agents
    .flatMap((agent) => slotsOf(stored, agent))
    .map((attempts) => attempts.find(({ grantedAt }) => grantedAt > since)?.grantedAt);
  expect(firsts, 'a slot got no trial any more').not.toContain(undefined);
  return Math.max(...firsts.map((at) => at ?? since));
}

/** What each slot ran, in order. */
function slotsOf({ attempts }: Stored, agent: string): StoredAttempt[][] {
  return Array.from({ length: SLOTS_EACH }, (_, slot) =>
    attempts.filter((one) => one.agent === agent && one.slot === slot).sort((a, b) => a.grantedAt - b.grantedAt),
  );
}

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;
