/** Reads the history of a search from the store, for searchers that use results. */
import type { Database } from 'libsql';
import type { Objective } from '../../lib/domain/pareto.ts';
import { resultOf } from '../../lib/domain/trial-result.ts';
import type { EventKind, GoalName, TrialStateName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { parseParameters } from '../../proto/values.ts';
import type { SearchHistory } from '../search/searcher.ts';
import type { PlannedTrial } from '../search/trial-source.ts';
import { storedWarmStart } from './warm-starts.ts';

const KINDS = ['created', 'succeeded', 'stopped', 'failed', 'cancelled', 'retried'] as const satisfies EventKind[];

interface EventRow {
  readonly seq: number;
  readonly trialId: string;
  readonly kind: (typeof KINDS)[number];
}

interface TrialRow {
  readonly state: TrialStateName;
  readonly parameters: string;
  readonly metrics: string;
}

interface SweepRow {
  readonly metric: string;
  readonly goal: GoalName;
  /** All objectives as JSON, if the sweep has several. */
  readonly objectives: string | null;
}

export interface StoredSearchHistory {
  /** Adds a trial that the next transaction stores. */
  add(trial: PlannedTrial): void;
  read(): SearchHistory;
}

/**
 * Returns the history of one sweep's trials, in the order of the event log. Each call of `read` reads only the events
 * since the previous call. A restart does not change the history.
 */
export function storedSearchHistory(db: Database, sweepId: string): StoredSearchHistory {
  const selectEvents = db.prepare(
    `select seq, trial_id as trialId, kind from events
     where sweep_id = ? and seq > ? and kind in (${KINDS.map((kind) => `'${kind}'`).join(', ')}) order by seq`,
  );
  const selectTrial = db.prepare('select state, parameters, metrics from trials where sweep_id = ? and id = ?');
  const selectSweep = db.prepare(
    "select metric, goal, json_extract(policy, '$.objectives') as objectives from sweeps where id = ?",
  );
  const results = new Map<string, SearchHistory['results'][number]>();
  const live = new Map<string, Parameters>();
  /** Trials that were created, but are not stored yet. */
  const created = new Map<string, Parameters>();
  let lastSeq = 0;
  let known: string | undefined;
  let warmStart: SearchHistory['results'] | undefined;

  function apply({ trialId, kind }: EventRow, metric: string, objectives: readonly Objective[]): void {
    for (const trials of [results, live, created]) trials.delete(trialId);
    if (kind === 'cancelled') return;
    const row = selectTrial.get(sweepId, trialId) as TrialRow | undefined;
    if (row === undefined) return;
    const parameters = parseParameters(row.parameters);
    if (kind === 'created' || kind === 'retried') live.set(trialId, parameters);
    else {
      const trial = { ...row, metrics: JSON.parse(row.metrics) };
      const values = objectives.map(({ name }) => resultOf(trial, name));
      const value = resultOf(trial, metric);
      results.set(trialId, objectives.length > 0 ? { parameters, value, values } : { parameters, value });
    }
  }

  return {
    add({ trialId, parameters }) {
      created.set(trialId, parameters);
    },
    read() {
      const { metric, goal, objectives: json } = selectSweep.get(sweepId) as SweepRow;
      const objectives: readonly Objective[] = json === null ? [] : JSON.parse(json);
      // If the sweep file names no metric, the sweep has a metric only after the first reports.
      if (metric !== known) {
        known = metric;
        lastSeq = 0;
        results.clear();
        live.clear();
      }
      for (const event of selectEvents.all(sweepId, lastSeq) as EventRow[]) {
        lastSeq = event.seq;
        apply(event, metric, objectives);
      }
      warmStart ??= storedWarmStart(db, sweepId);
      const goals = objectives.length > 0 ? objectives.map((objective) => objective.goal) : undefined;
      return {
        goal,
        goals,
        results: [...warmStart, ...results.values()],
        live: [...live.values(), ...created.values()],
      };
    },
  };
}
