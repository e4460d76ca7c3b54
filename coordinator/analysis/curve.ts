/** What a trial's metrics were over its epochs, whichever attempts they come from. */

export interface EpochReport {
  readonly attempt: number;
  readonly epoch: number;
}

/**
 * One report an epoch. An attempt that went on from a checkpoint continues its predecessors' curve from there; one that
 * began at the beginning replaces it.
 * @param reports in order of attempt, then epoch
 * @param resumedFrom the epoch that each attempt went on from; attempts that it lacks began at the beginning
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
