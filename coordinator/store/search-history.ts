/** Reads the history of a search from the store, for searchers that use results. */
import type { Objective } from '../../lib/domain/pareto.ts';
import { resultOf } from '../../lib/domain/trial-result.ts';
import type { EventKind, GoalName, TrialStateName } from '../../proto/names.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { parseParameters } from '../../proto/values.ts';
import type { SweepPolicy } from '../core/policy.ts';
import type { PastSuggestion, SearchHistory } from '../search/searcher.ts';
import type { PlannedTrial, StoredSuggestion } from '../search/trial-source.ts';
import { ConfigOutcomes } from './config-outcomes.ts';
import { rowsOfIds } from './dialect.ts';
import { pagedRows, type Reader, ROWS_PER_PAGE } from './reader.ts';
import { storedWarmStart } from './warm-starts.ts';

const KINDS = ['created', 'succeeded', 'stopped', 'failed', 'cancelled', 'retried'] as const satisfies EventKind[];

interface EventRow {
  readonly seq: number;
  readonly trialId: string;
  readonly kind: (typeof KINDS)[number];
}

interface TrialRow {
  readonly id: string;
  readonly configId: string;
  readonly state: TrialStateName;
  readonly stopReason: string;
  readonly epoch: number;
  readonly parameters: string;
  readonly metrics: string;
}

interface SweepRow {
  readonly metric: string;
  readonly goal: GoalName;
  readonly policy: string;
}

export interface StoredSearchHistory {
  /** Reads the results that were stored since the previous call. */
  refresh(): Promise<void>;
  /** Returns whether the sweep has a trial with the given id. */
  has(trialId: string): boolean;
  /** Adds a trial that the next transaction stores. */
  add(trial: PlannedTrial): void;
  /** Adds a suggestion that the next transaction stores. */
  addSuggestion(suggestion: StoredSuggestion): void;
  /** Returns the history up to the last refresh, with the trials that have been added since then. */
  read(): SearchHistory;
  /** Returns the suggestions so far, for a searcher that asks an external process for suggestions. */
  suggestions(): readonly PastSuggestion[];
}

/**
 * Returns the history of one sweep's trials, in the order of the event log. Each refresh reads only the events since
 * the previous refresh. A restart does not change the history.
 * @param replicates the number of trials per config
 */
export function storedSearchHistory(reader: Reader, sweepId: string, replicates = 1): StoredSearchHistory {
  const results = new Map<string, SearchHistory['results'][number]>();
  const live = new Map<string, Parameters>();
  /** Trials that were created, but are not stored yet. */
  const created = new Map<string, Parameters>();
  const outcomes = new ConfigOutcomes(replicates);
  let ids: Set<string> | undefined;
  let suggested: StoredSuggestion[] = [];
  let lastSeq = 0;
  let goal: GoalName = 'minimize';
  let known: string | undefined;
  let objectives: readonly Objective[] = [];
  let warmStart: SearchHistory['results'] = [];

  function apply({ trialId, kind }: EventRow, row: TrialRow | undefined, metric: string): void {
    for (const trials of [results, live, created]) trials.delete(trialId);
    if (row === undefined) return;
    if (kind === 'cancelled') {
      outcomes.set(row.configId, trialId, { kind: 'ended', ...lengthOf(row), values: [] });
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
      outcomes.set(row.configId, trialId, {
        kind: 'ended',
        ...lengthOf(row),
        values: objectives.length > 0 ? values : [value],
      });
      results.set(trialId, objectives.length > 0 ? { parameters, value, values } : { parameters, value });
    }
  }

  async function readSweep(): Promise<void> {
    const row = await reader.get<SweepRow>('select metric, goal, policy from sweeps where id = ?', sweepId);
    if (row === undefined) return;
    const { objectives: several = [] }: SweepPolicy = JSON.parse(row.policy);
    ({ goal } = row);
    objectives = several;
    if (row.metric === known) return;
    // If the sweep file names no metric, the first reports determine the metric. As soon as the metric is known, all
    // results are read again.
    known = row.metric;
    lastSeq = 0;
    results.clear();
    live.clear();
    outcomes.clear();
  }

  /**
   * Reads the trials and suggestions that are stored at the first refresh. Later trials and suggestions are added by
   * `add` and `addSuggestion` before they are stored, so they are not read.
   */
  async function readOnce(): Promise<Set<string>> {
    const found = new Set<string>();
    const trials = (last: number) =>
      reader.all<{ id: string; at: number }>(
        `select id, idx as at from trials ${reader.dialect.index('trials_by_index')}
         where sweep_id = ? and idx > ? order by idx limit ${ROWS_PER_PAGE}`,
        sweepId,
        last,
      );
    for await (const { id } of pagedRows(trials)) found.add(id);
    warmStart = await storedWarmStart(reader, sweepId);
    suggested = await storedSuggestions(reader, sweepId);
    return found;
  }

  /** Reads one page of events, with their trials. @returns whether further events can follow */
  async function readEvents(): Promise<boolean> {
    const events = await reader.all<EventRow>(
      `select seq, trial_id as "trialId", kind from events
       where sweep_id = ? and seq > ? and kind in (${KINDS.map((kind) => `'${kind}'`).join(', ')})
       order by seq limit ${ROWS_PER_PAGE}`,
      sweepId,
      lastSeq,
    );
    if (events.length === 0) return false;
    const changed = new Set(events.map(({ trialId }) => trialId));
    const rows = await reader.all<TrialRow>(
      `select trials.id, config_id as "configId", state, stop_reason as "stopReason", epoch, parameters, metrics
       from ${reader.dialect.rows('?2', 'wanted')} cross join trials
       where sweep_id = ?1 and trials.id = wanted.value ->> 0`,
      sweepId,
      rowsOfIds(changed),
    );
    const trials = new Map(rows.map((row) => [row.id, row]));
    for (const event of events) {
      lastSeq = event.seq;
      ids?.add(event.trialId);
      apply(event, trials.get(event.trialId), known ?? '');
    }
    return events.length === ROWS_PER_PAGE;
  }

  return {
    async refresh() {
      ids ??= await readOnce();
      await readSweep();
      for (let more = true; more; ) more = await readEvents();
    },
    has: (trialId) => ids?.has(trialId) ?? false,
    add({ trialId, configId, parameters }) {
      ids?.add(trialId);
      created.set(trialId, parameters);
      outcomes.set(configId, trialId, { kind: 'running' });
    },
    addSuggestion(suggestion) {
      suggested.push(suggestion);
    },
    suggestions: () => suggested.map(({ configId, record }) => ({ record, outcome: outcomes.of(configId) })),
    read() {
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

const lengthOf = ({ state, stopReason, epoch }: TrialRow) => ({ state, stopReason, epoch });

async function storedSuggestions(reader: Reader, sweepId: string): Promise<StoredSuggestion[]> {
  const page = (last: number) =>
    reader.all<{ at: number; configId: string | null; choices: string; attributes: string }>(
      `select number as at, config_id as "configId", choices, attributes from suggestions
       where sweep_id = ? and number > ? order by number limit ${ROWS_PER_PAGE}`,
      sweepId,
      last,
    );
  const suggestions: StoredSuggestion[] = [];
  for await (const { at: number, configId, choices, attributes } of pagedRows(page)) {
    suggestions.push({
      number,
      configId: configId ?? undefined,
      record: { values: JSON.parse(choices), attributes },
    });
  }
  return suggestions;
}
