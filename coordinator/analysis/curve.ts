/** Builds the curve of a trial from the reports of its attempts. */

export interface EpochReport {
  readonly attempt: number;
  readonly epoch: number;
}

/**
 * Returns one report per epoch. An attempt that resumed from a checkpoint continues the curve from there; an attempt that
 * started from scratch replaces it.
 * @param reports sorted by attempt, then by epoch
 * @param resumedFrom the epoch that each attempt resumed from; an attempt without an entry started from scratch
 */
export function curveOf<T extends EpochReport>(
  reports: readonly T[],
  resumedFrom: ReadonlyMap<number, number>,
): readonly T[] {
  const byEpoch = new Map<number, T>();
  let attempt = 0;
  for (const report of reports) {
    if (report.attempt !== attempt) {
      attempt = report.attempt;
      const kept = resumedFrom.get(attempt) ?? 0;
      for (const epoch of byEpoch.keys()) if (epoch > kept) byEpoch.delete(epoch);
    }
    byEpoch.set(report.epoch, report);
  }
  return [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
}
