/**
 * The invariants of searches, which are checked on durable changes only. Each suggestion equals the suggestion that
 * follows from the sweep file, the stored state of the search, and the durable results in the order of their commits.
 * The same seed and history therefore give the same suggestion before and after a restart. A search with `warm_start`
 * starts with the results that the earlier sweep had when the search was submitted. Later changes of the earlier sweep
 * have no effect.
 */

import { createHash } from 'node:crypto';
import type { Database } from 'libsql';
import type { Runtime } from '../../coordinator/app/runtime.ts';
import type { Change } from '../../coordinator/core/step.ts';
import { earlierSweepsOf, type SweepSpec, usesResults } from '../../coordinator/grid/spec.ts';
import { nextStep } from '../../coordinator/grid/trials.ts';
import type { SearchHistory, SearchResult } from '../../coordinator/search/searcher.ts';
import type { SourceStep, TrialSource } from '../../coordinator/search/trial-source.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import type { Parameters } from '../../proto/trainers.ts';
import { canonicalJson, parseParameters } from '../../proto/values.ts';
import { databaseOf } from '../support/coordinator/database-of.ts';

/** The durable history of a sweep. */
interface DurableSearch {
  /** The results of the trials, in the order in which their ends were committed. */
  readonly results: Map<string, SearchResult>;
  readonly live: Map<string, Parameters>;
  readonly warm: readonly SearchResult[];
}

interface TrialRow {
  readonly id: string;
  readonly state: string;
  readonly parameters: string;
  readonly metrics: string;
}

export class SearchInvariant {
  readonly #sweeps = new Map<string, DurableSearch>();
  /** Trials that the current process has created, and that are not durable yet. */
  #creating = new Map<string, Map<string, Parameters>>();
  /** The outcome of each suggestion, and the process that made the suggestion. */
  readonly #suggestions = new Map<string, { readonly outcome: string; readonly process: number }>();
  #processes = 0;
  /** The cases that occurred. */
  readonly reached = new Set<string>();
  readonly #violated: (invariant: string) => void;

  constructor(violated: (invariant: string) => void) {
    this.#violated = violated;
  }

  /**
   * Adds a new sweep and its stored trials, except the trials in `creating`. `creating` contains the trials that the
   * current commit creates, as `SWEEP/TRIAL`. The method `take` adds those trials.
   */
  submitted(sweepId: string, db: Database, creating: ReadonlySet<string>): void {
    const trials = db.prepare('select * from trials where sweep_id = ? order by idx').all(sweepId) as TrialRow[];
    const live = trials.filter(({ id }) => !creating.has(`${sweepId}/${id}`));
    const stored = db
      .prepare('select parameters, value from warm_starts where sweep_id = ? order by place')
      .all(sweepId);
    const warm = (stored as { parameters: string; value: number | null }[]).map(({ parameters, value }) => ({
      parameters: parseParameters(parameters),
      value: value ?? undefined,
    }));
    this.#checkWarmStart(sweepId, db, warm);
    this.#sweeps.set(sweepId, {
      results: new Map(),
      live: new Map(live.map(({ id, parameters }) => [id, parseParameters(parameters)])),
      warm,
    });
  }

  #checkWarmStart(sweepId: string, db: Database, warm: readonly SearchResult[]): void {
    const names = earlierSweepsOf(specOf(db, sweepId).search);
    const earlier = names.flatMap((name) => {
      const rows = db.prepare('select cast(id as text) as id from sweeps where name = ?').all(name) as { id: string }[];
      return rows.flatMap(({ id }) => [...(this.#sweeps.get(id)?.results.values() ?? [])]);
    });
    if (warm.length > 0) this.reached.add('a search that starts with earlier results');
    const [stored, expected] = [warm, earlier].map((results) => results.map(textOf).sort());
    if (`${stored}` === `${expected}`) return;
    this.#violated(`sweep ${sweepId} starts with ${stored}; the earlier sweep has ${expected}`);
  }

  /** Called after each commit with the changes of the commit. */
  take(changes: readonly Change[], db: Database): void {
    for (const change of changes) {
      if (!('sweepId' in change)) continue;
      const sweep = this.#sweeps.get(change.sweepId);
      if (sweep === undefined) continue;
      if (change.kind === 'created') {
        sweep.live.set(change.trial.trialId, change.trial.parameters);
        this.#creating.get(change.sweepId)?.delete(change.trial.trialId);
      } else if (change.kind === 'retried' || (change.kind === 'trial' && isFinal(change.state))) {
        this.#move(sweep, change, db);
      }
    }
  }

  #move(sweep: DurableSearch, change: Change & { readonly kind: 'trial' | 'retried' }, db: Database): void {
    const { sweepId, trialId } = change;
    const row = db.prepare('select * from trials where sweep_id = ? and id = ?').get(sweepId, trialId) as TrialRow;
    const parameters = parseParameters(row.parameters);
    sweep.live.delete(trialId);
    sweep.results.delete(trialId);
    if (change.kind === 'retried') sweep.live.set(trialId, parameters);
    else if (change.state !== 'cancelled') {
      const hasResult = change.state === 'succeeded' || change.state === 'stopped';
      const value = hasResult ? (JSON.parse(row.metrics) as { test_loss: number }).test_loss : undefined;
      sweep.results.set(trialId, { parameters, value });
    }
  }

  /** From now on, checks each suggestion of the coordinator's process. */
  watch(runtime: Runtime): void {
    this.#processes += 1;
    this.#creating = new Map();
    for (const sweep of runtime.core.sweeps.values()) {
      const { id, search } = sweep;
      if (search === undefined) continue;
      sweep.search = { ...search, source: this.#watched(runtime, id, specOf(databaseOf(runtime), id), search.source) };
    }
    const { openSource } = runtime;
    const watching: Runtime['openSource'] = (file, parsed) => {
      const source = openSource(file, parsed);
      return this.#watched(runtime, file.id, parseSweep(file.text, file.fileName), source);
    };
    Object.assign(runtime, { openSource: watching });
  }

  #watched(runtime: Runtime, sweepId: string, spec: SweepSpec, source: TrialSource): TrialSource {
    // Other invariants check the suggestions of samplers and the members of populations.
    if (spec.search === undefined || spec.search.method === 'optuna' || spec.search.method === 'pbt') return source;
    const select = databaseOf(runtime).prepare('select 1 as found from trials where sweep_id = ? and id = ?');
    return {
      usesResults: source.usesResults,
      get problem() {
        return source.problem;
      },
      get isUnprepared() {
        return source.isUnprepared ?? false;
      },
      prepare: (state) => source.prepare(state),
      next: (state, isKnown) => {
        const step = source.next(state, isKnown);
        if (source.isUnprepared === true) return step;
        const sweep = this.#sweeps.get(sweepId);
        // The sweep is unknown here only if the process died during the submission of the sweep.
        if (sweep === undefined) return step;
        const creating = this.#creating.get(sweepId) ?? new Map<string, Parameters>();
        this.#creating.set(sweepId, creating);
        const history = historyOf(spec, sweep, creating);
        const isOld = (id: string) => isKnown(id) || select.get(sweepId, id) !== undefined;
        const expected = outcomeOf(nextStep(spec, state, isOld, () => history));
        if (outcomeOf(step) !== expected)
          this.#violated(
            `sweep ${sweepId} has the suggestion ${outcomeOf(step)}; the durable history gives ${expected}`,
          );
        this.#note(sweepId, [spec.runCap, state, usesResults(spec.search) && history], step);
        if (history.results.length >= 10 && usesResults(spec.search)) this.reached.add('a point chosen from results');
        if (step.kind === 'trial') creating.set(step.trial.trialId, step.trial.parameters);
        return step;
      },
    };
  }

  /** Checks that the same state and history give the same suggestion, even after a restart. */
  #note(sweepId: string, basis: unknown, step: SourceStep): void {
    const key = createHash('sha256')
      .update(canonicalJson(JSON.parse(JSON.stringify([sweepId, basis]))))
      .digest('hex');
    const before = this.#suggestions.get(key);
    const outcome = outcomeOf(step);
    if (before !== undefined && before.outcome !== outcome)
      this.#violated(`sweep ${sweepId} suggested ${before.outcome}, and then ${outcome} from the same history`);
    if (before !== undefined && before.process < this.#processes && step.kind === 'trial')
      this.reached.add('a suggestion repeated after a restart');
    this.#suggestions.set(key, { outcome, process: this.#processes });
  }
}

function specOf(db: Database, sweepId: string): SweepSpec {
  const row = db.prepare('select text, file_name as fileName from sweeps where id = ?').get(sweepId);
  const { text, fileName } = row as { text: string; fileName: string };
  return parseSweep(text, fileName);
}

function historyOf(spec: SweepSpec, sweep: DurableSearch, creating: ReadonlyMap<string, Parameters>): SearchHistory {
  return {
    goal: spec.metric.goal,
    warm: sweep.warm,
    results: [...sweep.warm, ...sweep.results.values()],
    live: [...sweep.live.values(), ...creating.values()],
  };
}

const isFinal = (state: string) => ['succeeded', 'stopped', 'failed', 'cancelled'].includes(state);

const outcomeOf = (step: SourceStep): string => JSON.stringify(step.kind === 'trial' ? [step.trial, step.state] : step);

/** The names of the parameters are sorted, because the store can change their order. */
function textOf({ parameters, value }: SearchResult): string {
  return JSON.stringify([Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1)), value ?? null]);
}
