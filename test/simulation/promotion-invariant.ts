/**
 * The invariants of the `promotion` variant of asha, which are checked on durable changes only. A trial is promoted
 * from a rung at most once, and only if it is among the best 1/eta of the rung. A held trial is not among the best
 * 1/eta of its rung. A held trial resumes only after its promotion, and is stopped only at the end of its sweep.
 * Without a promotion, a trial trains at most one checkpoint interval beyond its rung.
 */

import type { Sweep } from '../../coordinator/core/model.ts';
import type { SweepPolicy } from '../../coordinator/core/policy.ts';
import type { Change } from '../../coordinator/core/step.ts';
import type { AshaSettings } from '../../coordinator/early-stop/settings.ts';

export interface JudgedSweep {
  readonly state: Sweep['state'];
  readonly policy: SweepPolicy;
}

interface Entry {
  readonly value: number;
  promoted: boolean;
}

type ChangeOf<K extends Change['kind']> = Extract<Change, { readonly kind: K }>;

/** The invariants of one sweep. */
export class PromotionInvariant {
  readonly #rule: AshaSettings;
  /** The entries of each rung, by trial. */
  readonly #rungs = new Map<number, Map<string, Entry>>();
  /** The highest rung of each trial. */
  readonly #highest = new Map<string, number>();
  readonly #held = new Set<string>();

  readonly reached: Set<string>;

  constructor(rule: AshaSettings, reached: Set<string>) {
    this.#rule = rule;
    this.reached = reached;
  }

  /** Returns the first violated invariant of a commit. */
  take(changes: readonly Change[], sweep: JudgedSweep): string | undefined {
    const advanced = new Set<string>();
    const ends = changes.some((one) => one.kind === 'sweep' && one.state !== 'paused' && one.state !== 'running');
    for (const change of changes) {
      const violated = this.#judge(change, sweep, advanced, ends);
      if (violated !== undefined) return violated;
    }
    for (const trialId of this.#held) {
      if (this.#isBest(trialId)) return `trial ${trialId} is held, and is among the best of its rung`;
    }
    return undefined;
  }

  #judge(change: Change, sweep: JudgedSweep, advanced: Set<string>, ends: boolean): string | undefined {
    switch (change.kind) {
      case 'rung':
        this.#enter(change);
        return undefined;
      case 'advanced':
        advanced.add(change.trialId);
        return this.#advance(change);
      case 'report':
        return this.#isWithinRung(change, sweep);
      case 'trial':
        return this.#move(change, advanced, ends);
      default:
        return undefined;
    }
  }

  #enter({ key, rung, value, detail }: ChangeOf<'rung'>): void {
    const entries = this.#rungs.get(rung) ?? new Map<string, Entry>();
    this.#rungs.set(rung, entries.set(key.trialId, { value, promoted: detail !== '' }));
    this.#highest.set(key.trialId, Math.max(rung, this.#highest.get(key.trialId) ?? 0));
  }

  #advance({ trialId, rung }: ChangeOf<'advanced'>): string | undefined {
    const entry = this.#rungs.get(rung)?.get(trialId);
    if (entry === undefined) return `trial ${trialId} was promoted from rung ${rung}, which it has not entered`;
    if (entry.promoted) return `trial ${trialId} was promoted twice from rung ${rung}`;
    if (!this.#isBest(trialId, rung))
      return `trial ${trialId} was promoted from rung ${rung}, but is not among the best`;
    entry.promoted = true;
    this.reached.add(this.#held.has(trialId) ? 'a promotion of a held trial' : 'a promotion of a running trial');
    return undefined;
  }

  #move({ trialId, state }: ChangeOf<'trial'>, advanced: ReadonlySet<string>, ends: boolean): string | undefined {
    const wasHeld = this.#held.delete(trialId);
    if (state === 'held') {
      this.#held.add(trialId);
      if (this.#isPromoted(trialId)) return `trial ${trialId} is held after its promotion`;
      return undefined;
    }
    if (!wasHeld) return undefined;
    if (state === 'pending' && !advanced.has(trialId)) return `trial ${trialId} resumes without a promotion`;
    if (state !== 'stopped') return undefined;
    this.reached.add('a held trial stopped at the end of its sweep');
    return ends ? undefined : `held trial ${trialId} was stopped before the end of its sweep`;
  }

  #isWithinRung({ key: { trialId }, epoch }: ChangeOf<'report'>, { state, policy }: JudgedSweep): string | undefined {
    const rung = this.#highest.get(trialId);
    if (rung === undefined || this.#isPromoted(trialId) || (state !== 'running' && state !== 'paused'))
      return undefined;
    const limit = rung + Math.max(1, policy.checkpointEvery);
    return epoch <= limit ? undefined : `trial ${trialId} reported epoch ${epoch}, although it waits at rung ${rung}`;
  }

  #isPromoted(trialId: string): boolean {
    const entry = this.#rungs.get(this.#highest.get(trialId) ?? 0)?.get(trialId);
    return entry === undefined || entry.promoted;
  }

  /** Whether the trial is among the best 1/eta of the trials in `rung`. Default: the highest rung of the trial. */
  #isBest(trialId: string, rung = this.#highest.get(trialId) ?? 0): boolean {
    const entries = this.#rungs.get(rung);
    const value = entries?.get(trialId)?.value;
    if (entries === undefined || value === undefined) return false;
    const better = [...entries.values()].filter((other) => other.value < value).length;
    return better < Math.floor(entries.size / this.#rule.eta);
  }
}
