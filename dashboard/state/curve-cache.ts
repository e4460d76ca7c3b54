/**
 * The curves of recently visible trials. A curve is fetched when its trial becomes visible and then grows with the
 * trial's reports. The least recently visible curves are evicted, so memory does not grow with the sweep.
 */
import type { Report, Trial } from '../../proto/gen/trawl/v1/types.ts';

/** A point of a curve. The points of a curve are in ascending order of epochs. */
export type ReportPoint = Pick<Report, 'epoch' | 'metrics'>;

/** The maximum number of cached curves. Even two full screens of a large terminal show fewer curves than this. */
const MAX_CURVES = 400;

/**
 * Identifies the attempt that a trial's row shows. A row can switch between two simultaneous attempts while the number
 * of attempts stays the same, so the start time is included.
 */
export function attemptIdOf({ attempts, startedAtMs }: Pick<Trial, 'attempts' | 'startedAtMs'>): string {
  return `${attempts} ${startedAtMs}`;
}

interface Entry {
  /** The attempt that reported the points. A new attempt clears the points. */
  attempt: string;
  points: ReportPoint[];
  fetched: boolean;
  /** Whether the points have ever been complete. If so, only points that were reported later can be missing. */
  begun: boolean;
}

export class CurveCache {
  /** The cached curves, least recently visible first. */
  readonly #entries = new Map<string, Entry>();

  /** Returns the points of a trial; empty until the points have been complete for the first time. */
  get(trialId: string): readonly ReportPoint[] {
    const entry = this.#entries.get(trialId);
    return entry?.begun ? entry.points : [];
  }

  /**
   * Marks trials as visible.
   * @returns the ids of the trials whose points must be fetched
   */
  touch(trials: readonly Trial[]): string[] {
    const missing: string[] = [];
    for (const trial of trials) {
      const known = this.#entries.get(trial.id);
      const entry = known ?? {
        attempt: attemptIdOf(trial),
        points: [],
        fetched: trial.epoch === 0,
        begun: trial.epoch <= 1,
      };
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

  /** Stores fetched points. Keeps the points of later epochs, which arrived during the fetch. */
  store(trialId: string, reports: readonly ReportPoint[]): void {
    const entry = this.#entries.get(trialId);
    if (entry === undefined) return;
    const last = reports.at(-1)?.epoch ?? 0;
    entry.points = [...reports, ...entry.points.filter(({ epoch }) => epoch > last)];
    entry.fetched = true;
    entry.begun = true;
  }

  /** Marks every curve as incomplete, so that it is fetched again. Called when reports may have been missed. */
  invalidate(): void {
    for (const entry of this.#entries.values()) entry.fetched = false;
  }

  /** Adds a report from a trial's row in the Watch stream. */
  append(trial: Trial): void {
    const entry = this.#entries.get(trial.id);
    if (entry !== undefined) this.#append(entry, trial);
  }

  #append(entry: Entry, trial: Trial): void {
    const { epoch, metrics } = trial;
    if (attemptIdOf(trial) !== entry.attempt) {
      // The curve is fetched again: the new attempt may resume from a checkpoint, and only the coordinator has the
      // points before the checkpoint.
      entry.attempt = attemptIdOf(trial);
      entry.fetched = epoch === 0;
      entry.begun = epoch <= 1;
      entry.points = [];
    }
    const last = entry.points.at(-1)?.epoch ?? 0;
    if (epoch <= last || epoch === 0) return;
    if (epoch > last + 1) entry.fetched = false;
    entry.points.push({ epoch, metrics });
  }
}
