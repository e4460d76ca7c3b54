/** Runs a grid on 16 good and 4 bad virtual agents, and then on the good agents alone. */
import { TestRandom } from '../random.ts';
import { type Plan, type VirtualAgent, VirtualCluster } from './virtual-cluster.ts';

export const GOOD_AGENTS = 16;
export const SLOTS = 4;
export const TRIAL_MS = 10_000;
export const TIMEOUT_MS = 120_000;

const BAD: Readonly<Record<string, Plan>> = {
  crashes: { afterMs: 300, end: 'crash', message: 'Illegal instruction' },
  'without-interpreter': { afterMs: 100, end: 'preflight', message: 'no python3' },
  hangs: { afterMs: 0, end: 'hang' },
  slow: { afterMs: 10 * TRIAL_MS, end: 'succeeded' },
};

interface Outcome {
  /** Virtual milliseconds until the sweep ended. */
  readonly lastedMs: number;
  readonly succeeded: number;
  /** Attempts that another attempt superseded. */
  readonly superseded: number;
}

function run(agents: readonly VirtualAgent[], trials: number, seed: number): Outcome {
  const cluster = new VirtualCluster(agents, seed);
  const retry = { oom: 0, crash: 0, timeout: 0, backoffMs: 0 };
  const sweep = cluster.submit(trials, { retry, timeoutMs: TIMEOUT_MS, speculate: true });
  const lastedMs = cluster.runUntilDone(sweep);
  const superseded = cluster.changes.filter(
    (change) => change.kind === 'ended' && change.end.outcome === 'superseded',
  ).length;
  return { lastedMs, succeeded: sweep.counts.succeeded, superseded };
}

/**
 * Runs the grid twice: on all agents, and on the good agents alone. An attempt on a good agent takes 8 to 12 s. No
 * trial may use a retry.
 */
export function runWithBadMachines(trials: number, seed: number): { readonly all: Outcome; readonly good: Outcome } {
  const planner = () => {
    const random = new TestRandom(seed);
    return (): Plan => ({ afterMs: random.between(0.8, 1.2) * TRIAL_MS, end: 'succeeded' });
  };
  const goodAgents = () => {
    const plan = planner();
    return Array.from({ length: GOOD_AGENTS }, (_, at): VirtualAgent => ({ id: `good-${at}`, slots: SLOTS, plan }));
  };
  const bad = Object.entries(BAD).map(([id, plan]): VirtualAgent => ({ id, slots: SLOTS, plan: () => plan }));
  return { all: run([...goodAgents(), ...bad], trials, seed), good: run(goodAgents(), trials, seed) };
}
