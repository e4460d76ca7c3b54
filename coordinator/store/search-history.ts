/** Reads the history of a search from the store, for searchers that use results. */
import type { Database } from 'libsql';
import type { Objective } from '../../lib/domain/pareto.ts';
import { resultOf } from '../../lib/domain/trial-result.ts';
import type { EventKind, GoalName, TrialStateName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { parseParameters } from '../../proto/values.ts';
import type { PastSuggestion, SearchHistory } from '../search/searcher.ts';
import type { PlannedTrial, StoredSuggestion } from '../search/trial-source.ts';
import { ConfigOutcomes } from './config-outcomes.ts';
import { storedWarmStart } from './warm-starts.ts';

const KINDS = ['created', 'succeeded', 'stopped', 'failed', 'cancelled', 'retried'] as const satisfies EventKind[];

interface EventRow {
  readonly seq: number;
  readonly trialId: string;
  readonly kind: (typeof KINDS)[number];
}

interface TrialRow {
  readonly configId: string;
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
  /** Adds a suggestion that the next transaction stores. */
  addSuggestion(suggestion: StoredSuggestion): void;
  read(): SearchHistory;
  /** Returns the suggestions so far, for searchers with an external process. */
  suggestions(): readonly PastSuggestion[];
}

/**
 * Returns the history of one sweep's trials, in the order of the event log. Each call of `read` reads only the events
 * since the previous call. A restart does not change the history.
 * @param replicates the number of trials per config
 */
export function storedSearchHistory(db: Database, sweepId: string, replicates = 1): StoredSearchHistory {
  const selectEvents = db.prepare(
    `select seq, trial_id as trialId, kind from events
     where sweep_id = ? and seq > ? and kind in (${KINDS.map((kind) => `'${kind}'`).join(', ')}) order by seq`,
  );
  const selectTrial = db.prepare(
    'select config_id as configId, state, parameters, metrics from trials where sweep_id = ? and id = ?',
  );
  const selectSweep = db.prepare(
    "select metric, goal, json_extract(policy, '$.objectives') as objectives from sweeps where id = ?",
  );
  const results = new Map<string, SearchHistory['results'][number]>();
  const live = new Map<string, Parameters>();
  /** Trials that were created, but are not stored yet. */
  const created = new Map<string, Parameters>();
  const outcomes = new ConfigOutcomes(replicates);
  let suggested: StoredSuggestion[] | undefined;
  let lastSeq = 0;
  let known: string | undefined;
  let warmStart: SearchHistory['results'] | undefined;

  function apply({ trialId, kind }: EventRow, metric: string, objectives: readonly Objective[]): void {
    for (const trials of [results, live, created]) trials.delete(trialId);
    const row = selectTrial.get(sweepId, trialId) as TrialRow | undefined;
    if (row === undefined) return;
    if (kind === 'cancelled') {
      outcomes.set(row.configId, trialId, { kind: 'ended', values: [] });
      return;
    }
    const parameters = parseParameters(row.parameters);
    if (kind === 'created' || kind === 'retried') {
      live.set(trialId, parameters);
      outcomes.set(row.configId, trialId, { kind: 'running' });
    } else {
      const trial = { ...row, metrics: JSON.parse(row.metrics) };
      const values = objectives.map(({ name }) => resultOf(trial, name));
      const value = resultOf(trial, metric);
      outcomes.set(row.configId, trialId, { kind: 'ended', values: objectives.length > 0 ? values : [value] });
      results.set(trialId, objectives.length > 0 ? { parameters, value, values } : { parameters, value });
    }
  }

  return {
    add({ trialId, configId, parameters }) {
      created.set(trialId, parameters);
      outcomes.set(configId, trialId, { kind: 'running' });
    },
    addSuggestion(suggestion) {
      suggested ??= storedSuggestions(db, sweepId);
      suggested.push(suggestion);
    },
    suggestions() {
      // Later suggestions are added before their transaction, so the store is read only once.
      suggested ??= storedSuggestions(db, sweepId);
      return suggested.map(({ configId, record }) => ({ record, outcome: outcomes.of(configId) }));
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
        outcomes.clear();
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
        warm: warmStart,
        results: [...warmStart, ...results.values()],
        live: [...live.values(), ...created.values()],
      };
    },
  };
}

function storedSuggestions(db: Database, sweepId: string): StoredSuggestion[] {
  const rows = db
    .prepare(
      'select number, config_id as configId, choices, attributes from suggestions where sweep_id = ? order by number',
    )
    .all(sweepId) as { number: number; configId: string | null; choices: string; attributes: string }[];
  return rows.map(({ number, configId, choices, attributes }) => ({
    number,
    configId: configId ?? undefined,
    record: { values: JSON.parse(choices), attributes },
  }));
}
