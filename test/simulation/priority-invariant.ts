/**
 * The invariant of priorities: a slot is never granted a trial while it could run a pending trial of higher priority.
 */
import type { Change } from '../../coordinator/core/step.ts';
import type { Ledger } from '../support/coordinator/ledger.ts';
import { canRun, type MachineResources } from './placement.ts';

/**
 * Only trials that have been pending for at least this time are checked, because a claim may have been sent before the
 * trial of higher priority became pending.
 */
const MIN_PENDING_MS = 1_000;

export class PriorityInvariant {
  readonly #ledger: Ledger;
  /**
   * Whether all slots are in one pool, so that each offer is for every slot. All slots are in one pool only if the
   * slots are alike and no trial avoids an agent.
   */
  #onePool: boolean;
  /** When each trial or sweep last changed, by name. */
  readonly #since = new Map<string, number>();
  judged = false;

  constructor(ledger: Ledger, machines: readonly MachineResources[]) {
    this.#ledger = ledger;
    this.#onePool = machines.every(({ zone, gpuSlots }) => zone === machines[0]?.zone && gpuSlots === 0);
  }

  submitted(sweepId: string, now: number): void {
    this.#since.set(sweepId, now);
    for (const name of this.#ledger.trials.keys()) if (name.startsWith(`${sweepId}/`)) this.#since.set(name, now);
  }

  /** Checks a change. Returns the violation, or undefined if there is none. */
  take(change: Change, machine: MachineResources | undefined, now: number): string | undefined {
    if (change.kind === 'trial' || change.kind === 'retried')
      this.#since.set(`${change.sweepId}/${change.trialId}`, now);
    if (change.kind === 'ended' && change.end.outcome === 'failed') this.#onePool = false;
    // The second attempt of a straggler avoids the straggler's agent, so the slots may no longer be in one pool.
    if (change.kind === 'straggler') this.#onePool = false;
    if (change.kind === 'sweep' || change.kind === 'priority') this.#since.set(change.sweepId, now);
    if (change.kind !== 'granted' || machine === undefined) return undefined;
    const own = this.#ledger.sweeps.get(change.key.sweepId)?.priority ?? 0;
    for (const [id, { state, priority, policy }] of this.#ledger.sweeps) {
      // A second attempt must also wait for the pending trials of sweeps with equal priority.
      if (priority < own || (priority === own && !change.speculative) || state !== 'running' || !this.#isOld(id, now))
        continue;
      this.judged = true;
      if (!canRun(policy.resources, machine, change.slot)) continue;
      if (this.#ledger.canBeFaulty(id, change.agentId)) continue;
      const waiting = this.#waiting(id, policy.concurrency ?? Number.POSITIVE_INFINITY, now);
      if (waiting === undefined) continue;
      return `${change.key.sweepId}/${change.key.trialId} was granted while ${waiting}, ${change.speculative ? 'which comes first' : 'which has higher priority'}, was pending`;
    }
    return undefined;
  }

  #waiting(sweepId: string, concurrency: number, now: number): string | undefined {
    const trials = [...this.#ledger.trials].filter(([name]) => name.startsWith(`${sweepId}/`));
    const second = trials.filter(([, one]) => one.second !== undefined).length;
    const busy = second + trials.filter(([, { state }]) => state === 'offered' || state === 'running').length;
    for (const [name, { state, attempts }] of trials) {
      // A trial that has already had an attempt is not checked, because its retry backoff might not be over.
      if (attempts > 0 || !this.#isOld(name, now)) continue;
      if (state === 'pending' && busy < concurrency) return name;
      if (state === 'offered' && this.#onePool) return name;
    }
    return undefined;
  }

  #isOld(name: string, now: number): boolean {
    return now - (this.#since.get(name) ?? now) >= MIN_PENDING_MS;
  }
}
