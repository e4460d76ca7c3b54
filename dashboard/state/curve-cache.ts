/**
 * Metrics over epochs of the trials that are looked at. They are fetched when a trial comes into sight, and then grow
 * with its reports; those out of sight for longest are forgotten, so that a sweep of any size fits into memory.
 */
import type { Report, Trial } from '../../proto/gen/trawl/v1/types.ts';

/** A point of a curve; epochs rise. */
export type CurvePoint = Pick<Report, 'epoch' | 'metrics'>;

/** More than two screens of the largest terminal. */
const MAX_CURVES = 400;

interface Entry {
  /** The attempt that the points are of: another one begins anew. */
  attempt: number;
  points: CurvePoint[];
  fetched: boolean;
}

export class CurveCache {
  /** In order of when they were last looked at. */
  readonly #entries = new Map<string, Entry>();

  get(trialId: string): readonly CurvePoint[] {
    return this.#entries.get(trialId)?.points ?? [];
  }

  /** Says which trials are looked at now. @returns those whose points so far are still to be fetched */
  touch(trials: readonly Trial[]): string[] {
    const missing: string[] = [];
    for (const trial of trials) {
      const known = this.#entries.get(trial.id);
      const entry = known ?? { attempt: trial.attempts, points: [], fetched: trial.epoch === 0 };
      this.#entries.delete(trial.id);
      this.#entries.set(trial.id, entry);
      if (known === undefined) this.#append(entry, trial);
      if (!entry.fetched) missing.push(trial.id);
    }
    for (const id of this.#entries.keys()) {
      if (this.#entries.size <= Math.max(MAX_CURVES, trials.length)) break;
      this.#entries.delete(id);
    }
    return missing;
  }

  /** Takes what was fetched; later points that came meanwhile stay. */
  store(trialId: string, reports: readonly CurvePoint[]): void {
    const entry = this.#entries.get(trialId);
    if (entry === undefined) return;
    const last = reports.at(-1)?.epoch ?? 0;
    entry.points = [...reports, ...entry.points.filter(({ epoch }) => epoch > last)];
    entry.fetched = true;
  }

  /** Asks for everything again: reports may have been missed. */
  invalidate(): void {
    for (const entry of this.#entries.values()) entry.fetched = false;
  }

  /** Takes a trial's row of the Watch stream. */
  append(trial: Trial): void {
    const entry = this.#entries.get(trial.id);
    if (entry !== undefined) this.#append(entry, trial);
  }

  #append(entry: Entry, { attempts, epoch, metrics }: Trial): void {
    if (attempts !== entry.attempt) {
      // Another attempt: it may go on from a checkpoint, which only the coordinator knows.
      entry.attempt = attempts;
      entry.fetched = epoch === 0;
      entry.points = [];
    }
    const last = entry.points.at(-1)?.epoch ?? 0;
    if (epoch <= last || epoch === 0) return;
    // Several epochs between two messages: what is between is fetched.
    if (epoch > last + 1) entry.fetched = false;
    entry.points.push({ epoch, metrics });
  }
}
