/**
 * The invariant of shares: sweeps that share slots by weight stay within the bound of SFQ(D) (see
 * coordinator/core/share.ts).
 */
import type { Change } from '../../coordinator/core/step.ts';
import type { Ledger } from '../support/coordinator/ledger.ts';
import { CONTEST_PRIORITY } from './contest.ts';

interface Party {
  readonly weight: number;
  /** The total slot time of the sweep's ended attempts, in milliseconds. */
  doneMs: number;
  /** The start of each running attempt. */
  readonly running: Map<string, number>;
  /** The slot time that the sweep had used when the comparison began, in milliseconds. */
  beforeMs: number;
}

export class ShareInvariant {
  readonly #ledger: Ledger;
  /** The highest possible number of simultaneous offers. */
  readonly #offers: number;
  readonly #parties = new Map<string, Party>();
  #longestMs = 0;
  /**
   * The highest number of attempts that ran at the same time. It can exceed the number of slots: an attempt counts as
   * running until its files are uploaded, but its slot can start the next attempt before that.
   */
  #most = 0;
  #judged = 0;

  constructor(ledger: Ledger, slots: number) {
    this.#ledger = ledger;
    this.#offers = 2 * slots;
  }

  /** Whether the shares were compared often enough for a meaningful check. */
  get wasJudged(): boolean {
    return this.#judged > 20;
  }

  /** Checks a change. Returns the violation, or undefined if there is none. */
  take(change: Change, now: number): string | undefined {
    if (change.kind !== 'granted' && change.kind !== 'ended') return undefined;
    const { sweepId, trialId, attempt } = change.key;
    if (this.#ledger.sweeps.get(sweepId)?.priority !== CONTEST_PRIORITY) return undefined;
    const party = this.#partyOf(sweepId);
    const name = `${trialId}/${attempt}`;
    if (change.kind === 'granted') {
      party.running.set(name, now);
      const running = [...this.#parties.values()].reduce((sum, each) => sum + each.running.size, 0);
      this.#most = Math.max(this.#most, running);
    } else {
      const tookMs = now - (party.running.get(name) ?? now);
      party.running.delete(name);
      party.doneMs += tookMs;
      this.#longestMs = Math.max(this.#longestMs, tookMs);
    }
    return this.#judge(now);
  }

  #partyOf(sweepId: string): Party {
    const known = this.#parties.get(sweepId);
    if (known !== undefined) return known;
    const weight = this.#ledger.sweeps.get(sweepId)?.policy.weight ?? 1;
    const party: Party = { weight, doneMs: 0, running: new Map(), beforeMs: 0 };
    this.#parties.set(sweepId, party);
    return party;
  }

  #judge(now: number): string | undefined {
    const [a, b] = [...this.#parties.entries()];
    if (a === undefined || b === undefined) return undefined;
    // Until each sweep has an ended trial, the scheduler can only estimate how long the trials of the sweeps take.
    if (a[1].doneMs === 0 || b[1].doneMs === 0) return undefined;
    if (this.#judged === 0) for (const [, party] of [a, b]) party.beforeMs = usedMs(party, now);
    // A sweep without pending trials does not compete for slots.
    if (![a, b].every(([id]) => this.#hasPending(id))) return undefined;
    this.#judged += 1;
    const level = ([, party]: [string, Party]) => (usedMs(party, now) - party.beforeMs) / party.weight;
    const apart = Math.abs(level(a) - level(b));
    const depth = this.#most + this.#offers + 1;
    const bound = depth * this.#longest(now) * (1 / a[1].weight + 1 / b[1].weight);
    if (apart <= bound) return undefined;
    return `sweeps ${a[0]} and ${b[0]} are ${apart.toFixed(0)} ms apart by weight; the bound is ${bound.toFixed(0)} ms`;
  }

  /** Returns the duration of the longest attempt, including running attempts. */
  #longest(now: number): number {
    const running = [...this.#parties.values()].flatMap((party) => [...party.running.values()]);
    return Math.max(this.#longestMs, ...running.map((since) => now - since));
  }

  #hasPending(sweepId: string): boolean {
    for (const [name, { state }] of this.#ledger.trials) {
      if (state === 'pending' && name.startsWith(`${sweepId}/`)) return true;
    }
    return false;
  }
}

function usedMs({ doneMs, running }: Party, now: number): number {
  return [...running.values()].reduce((sum, since) => sum + now - since, doneMs);
}
