/** How far apart sweeps that share the slots by weight may come: the bound of SFQ(D), see coordinator/core/share.ts. */
import type { Change } from '../../coordinator/core/step.ts';
import type { Ledger } from '../support/coordinator/ledger.ts';
import { CONTEST_PRIORITY } from './contest.ts';

interface Party {
  readonly weight: number;
  /** Slot-milliseconds of attempts that are over, and those that run: since when, by name. */
  doneMs: number;
  readonly running: Map<string, number>;
  /** What it had had when the comparison began. */
  beforeMs: number;
}

export class ShareLaw {
  readonly #ledger: Ledger;
  /** Offers that may stand at once. */
  readonly #offers: number;
  readonly #parties = new Map<string, Party>();
  #longestMs = 0;
  /** Attempts that ran at once: more than slots, where the files of some that are over are still on their way. */
  #most = 0;
  #judged = 0;

  constructor(ledger: Ledger, slots: number) {
    this.#ledger = ledger;
    this.#offers = 2 * slots;
  }

  /** Whether a contest has been looked at for some time. */
  get wasJudged(): boolean {
    return this.#judged > 20;
  }

  /** @returns how the law was broken; undefined: it holds */
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
    // How long the trials of a sweep take is a guess until one is over.
    if (a[1].doneMs === 0 || b[1].doneMs === 0) return undefined;
    if (this.#judged === 0) for (const [, party] of [a, b]) party.beforeMs = hadMs(party, now);
    // Who has nothing left to begin shares no longer.
    if (![a, b].every(([id]) => this.#waits(id))) return undefined;
    this.#judged += 1;
    const level = ([, party]: [string, Party]) => (hadMs(party, now) - party.beforeMs) / party.weight;
    const apart = Math.abs(level(a) - level(b));
    const depth = this.#most + this.#offers + 1;
    const bound = depth * this.#longest(now) * (1 / a[1].weight + 1 / b[1].weight);
    if (apart <= bound) return undefined;
    return `sweeps ${a[0]} and ${b[0]} are ${apart.toFixed(0)} ms apart by weight, and may be ${bound.toFixed(0)}`;
  }

  /** Of what runs, too: it may be longer by now than all that is over. */
  #longest(now: number): number {
    const running = [...this.#parties.values()].flatMap((party) => [...party.running.values()]);
    return Math.max(this.#longestMs, ...running.map((since) => now - since));
  }

  #waits(sweepId: string): boolean {
    for (const [name, { state }] of this.#ledger.trials) {
      if (state === 'pending' && name.startsWith(`${sweepId}/`)) return true;
    }
    return false;
  }
}

function hadMs({ doneMs, running }: Party, now: number): number {
  return [...running.values()].reduce((sum, since) => sum + now - since, doneMs);
}
