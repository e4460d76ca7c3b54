/** Faults that kill parts of a cluster and restart them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from '../support/cluster.ts';
import { killNow } from '../support/processes.ts';
import type { TestRandom } from '../support/random.ts';
import { until } from '../support/until.ts';

export const AGENT = 'agent-1';
export const SLOTS = 2;

export type FaultKind = 'worker' | 'agent' | 'coordinator' | 'agent and coordinator' | 'nats-server';

export interface KillFault {
  readonly kind: FaultKind;
  /** Whether the fault occurs only after every slot has become busy. If false, it can occur during startup. */
  readonly whenBusy: boolean;
  /** The delay before the kill. If `whenBusy` is set, the delay begins once every slot is busy. */
  readonly afterMs: number;
  /** How long the killed process stays down. Not used for a worker, because the agent restarts its workers. */
  readonly awayMs: number;
}

/** Returns the faults in an order and at times that are drawn from `random`. */
export function planFaults(kinds: readonly FaultKind[], random: TestRandom): KillFault[] {
  return random.shuffled(kinds).map((kind) => ({
    kind,
    whenBusy: random.next() < 0.7,
    afterMs: Math.round(random.between(100, 1_500)),
    awayMs: Math.round(random.between(0, 1_200)),
  }));
}

/**
 * Waits until the fault is due, kills the processes that the fault names, and restarts them. A killed worker is
 * restarted by its agent.
 * @returns how long the function waited until every slot was busy, in milliseconds; undefined if the fault did not
 *   require busy slots
 */
export async function killAndRestart(
  fault: KillFault,
  cluster: Cluster,
  sweep: string,
  random: TestRandom,
): Promise<number | undefined> {
  const begun = performance.now();
  if (fault.whenBusy) await until('every slot is busy', () => isBusy(cluster, sweep));
  const waitedMs = fault.whenBusy ? performance.now() - begun : undefined;
  await sleep(fault.afterMs);
  await kill(fault, cluster, random);
  return waitedMs;
}

async function kill(fault: KillFault, cluster: Cluster, random: TestRandom): Promise<void> {
  switch (fault.kind) {
    case 'worker': {
      const workers = cluster.workersOf(AGENT);
      if (workers.length > 0) killNow(random.pick(workers));
      return;
    }
    case 'agent':
      await cluster.agent(AGENT).killNow();
      await sleep(fault.awayMs);
      return cluster.startAgent(AGENT, SLOTS);
    case 'coordinator':
      await cluster.coordinator.killNow();
      await sleep(fault.awayMs);
      return cluster.startCoordinator();
    case 'agent and coordinator':
      await Promise.all([cluster.agent(AGENT).killNow(), cluster.coordinator.killNow()]);
      await sleep(fault.awayMs);
      await cluster.startCoordinator();
      return cluster.startAgent(AGENT, SLOTS);
    case 'nats-server':
      await cluster.killNats();
      await sleep(fault.awayMs);
      return cluster.startNats();
  }
}

async function isBusy(cluster: Cluster, sweep: string): Promise<boolean> {
  const counts = (await cluster.sweep(sweep))?.counts;
  if (counts === undefined) return false;
  // Near the end of a sweep, too few trials may be left to fill every slot. Then it is enough that no trial is waiting
  // for a slot.
  return counts.running === SLOTS || counts.pending + counts.offered === 0;
}
