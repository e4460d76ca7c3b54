/** Nothing is granted to a slot for which something more urgent waits. */
import type { Change } from '../../coordinator/core/step.ts';
import type { Ledger } from '../support/coordinator/ledger.ts';
import { type Machinery, mayRun } from './placement.ts';

/** What has waited for less may have come while the claim was on its way. */
const SEEN_MS = 1_000;

export class PriorityLaw {
  readonly #ledger: Ledger;
  /** With one kind of slot, an offer that stands is one for every slot. */
  readonly #onePool: boolean;
  /** Since when a trial waits, or a sweep is as it is, by name. */
  readonly #since = new Map<string, number>();
  /** Whether something was granted to one that others outranked or did not: for a test to see that it was looked at. */
  judged = false;

  constructor(ledger: Ledger, machines: readonly Machinery[]) {
    this.#ledger = ledger;
    this.#onePool = machines.every(({ zone, gpuSlots }) => zone === machines[0]?.zone && gpuSlots === 0);
  }

  submitted(sweepId: string, now: number): void {
    this.#since.set(sweepId, now);
    for (const name of this.#ledger.trials.keys()) if (name.startsWith(`${sweepId}/`)) this.#since.set(name, now);
  }

  /** @returns how the law was broken; undefined: it holds */
  take(change: Change, machine: Machinery | undefined, now: number): string | undefined {
    if (change.kind === 'trial' || change.kind === 'retried')
      this.#since.set(`${change.sweepId}/${change.trialId}`, now);
    if (change.kind === 'sweep' || change.kind === 'priority') this.#since.set(change.sweepId, now);
    if (change.kind !== 'granted' || machine === undefined) return undefined;
    const own = this.#ledger.sweeps.get(change.key.sweepId)?.priority ?? 0;
    for (const [id, { state, priority, policy }] of this.#ledger.sweeps) {
      if (priority <= own || state !== 'running' || !this.#isOld(id, now)) continue;
      this.judged = true;
      if (!mayRun(policy.resources, machine, change.slot)) continue;
      const waiting = this.#waiting(id, policy.concurrency ?? Number.POSITIVE_INFINITY, now);
      if (waiting === undefined) continue;
      return `${change.key.sweepId}/${change.key.trialId} was granted, and ${waiting}, which is more urgent, waited`;
    }
    return undefined;
  }

  #waiting(sweepId: string, concurrency: number, now: number): string | undefined {
    const trials = [...this.#ledger.trials].filter(([name]) => name.startsWith(`${sweepId}/`));
    const busy = trials.filter(([, { state }]) => state === 'offered' || state === 'running').length;
    for (const [name, { state, attempts }] of trials) {
      // One that has failed may have to wait before it is tried again.
      if (attempts > 0 || !this.#isOld(name, now)) continue;
      if (state === 'pending' && busy < concurrency) return name;
      if (state === 'offered' && this.#onePool) return name;
    }
    return undefined;
  }

  #isOld(name: string, now: number): boolean {
    return now - (this.#since.get(name) ?? now) >= SEEN_MS;
  }
}
