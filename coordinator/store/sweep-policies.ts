/** Keeps the policies of sweeps in memory, because many writes need them. */
import type { SweepPolicy } from '../core/policy.ts';
import type { Steps, WriteSql } from './write-sql.ts';

interface StoredPolicy extends Pick<SweepPolicy, 'ranking' | 'speculate'> {
  /** The name of the ranking metric. Empty if it was not known when the policy was read (implied-metric.ts). */
  readonly metric: string;
  /** The number of trials per config. */
  readonly replicates: number;
}

/** The policies of sweeps. Each policy is read once. */
export interface SweepPolicies {
  /** Returns the policy of a sweep. Undefined if the policy has not been read, or if no sweep has the id. */
  of(sweepId: string): StoredPolicy | undefined;
  isKnown(sweepId: string): boolean;
  /** Reads the policy of a sweep, unless it has been read before. */
  read(sweepId: string): Steps;
  /** Must be called when a policy changes. */
  forget(sweepId: string): void;
}

export function sweepPolicies(sql: WriteSql): SweepPolicies {
  const select = sql.query<{ policy: string; metric: string; replicates: number }>(
    'select policy, metric, replicates from sweeps where id = ?',
  );
  const known = new Map<string, StoredPolicy | undefined>();
  return {
    of: (sweepId) => known.get(sweepId),
    isKnown: (sweepId) => known.has(sweepId),
    *read(sweepId) {
      if (known.has(sweepId)) return;
      const [row] = yield* select(sweepId);
      if (row === undefined) {
        known.set(sweepId, undefined);
        return;
      }
      const { ranking, speculate }: SweepPolicy = JSON.parse(row.policy);
      known.set(sweepId, { ranking, speculate, metric: row.metric, replicates: row.replicates });
    },
    forget: (sweepId) => known.delete(sweepId),
  };
}
