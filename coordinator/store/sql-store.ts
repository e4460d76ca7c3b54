/** The part of a store that is the same for every SQL database. */
import type { AgentFacts } from '../core/agent-model.ts';
import type { Core, Sweep, TrialCreation } from '../core/model.ts';
import type { Trial } from '../core/trial-model.ts';
import type { PlannedTrial, SourceState } from '../search/trial-source.ts';
import {
  artifactLocation,
  artifactTotals,
  pendingRemovals,
  writeArtifactLocation,
  writeRemovalEnd,
} from './artifact-location.ts';
import { type EndedSweep, type EndedSweepChoice, endedSweeps, removeSweepRows } from './ended-sweeps.ts';
import { loadCore, loadSearchState, loadSweep, loadUnfinishedSearch } from './load.ts';
import { loadAgents } from './load-agents.ts';
import { loadRuleHistory } from './load-early-stopping.ts';
import { loadTrials } from './load-trials.ts';
import { Queries, type QueryOptions } from './queries.ts';
import type { Reader } from './reader.ts';
import type { AttributedChange, LoadOptions, OpenSource, Store, StoreSnapshot } from './store.ts';
import { type NewSweep, sweepSteps } from './submit.ts';
import { type ChangeSteps, changeSteps } from './write.ts';
import type { TransactionResult } from './write-events.ts';
import type { Steps, WriteSql } from './write-sql.ts';

export abstract class SqlStore implements Store {
  abstract readonly cluster: string;
  abstract readonly reader: Reader;
  readonly #sql: WriteSql;
  #write: ChangeSteps;

  protected constructor(sql: WriteSql) {
    this.#sql = sql;
    this.#write = changeSteps(sql);
  }

  /**
   * Runs a write in one transaction, and resolves once the transaction is durable. After a failure, `work` may be
   * called again. The new call must have the same effect as if the failed call had not happened.
   * @param changes the changes that are written; default: none
   */
  protected abstract transact<T>(work: () => Steps<T>, changes?: readonly AttributedChange[]): Promise<T>;

  abstract snapshot(): Promise<StoreSnapshot>;
  abstract close(): Promise<void>;

  /** Forgets the rows that earlier writes have read. Must be called after a transaction that failed. */
  protected forgetKnown(): void {
    this.#sql.progress.forgetAll();
    this.#write = changeSteps(this.#sql);
  }

  queries(options?: QueryOptions): Queries {
    return new Queries(this.reader, options);
  }

  write(changes: readonly AttributedChange[], at: number): Promise<TransactionResult> {
    return this.transact(() => this.#writeAll(changes, at), changes);
  }

  *#writeAll(changes: readonly AttributedChange[], at: number): Steps<TransactionResult> {
    const written: TransactionResult = { events: [], dropped: [] };
    for (const { change, by } of changes) {
      const steps = this.#write.write(change, at, written, by);
      if (steps !== undefined) yield* steps;
    }
    this.#write.finish();
    return written;
  }

  addSweep(sweep: NewSweep, trials: readonly PlannedTrial[], at: number, by = ''): Promise<string> {
    return this.transact(() => sweepSteps(this.#sql, sweep, trials, at, by));
  }

  loadCore(options: LoadOptions): Promise<Core> {
    return loadCore(this.reader, options);
  }

  loadSweep(id: string, now: number, openSource?: OpenSource): Promise<Sweep> {
    return loadSweep(this.reader, id, now, openSource);
  }

  loadTrials(sweep: Sweep, ids: readonly string[], now: number): Promise<Trial[]> {
    return loadTrials(this.reader, sweep, ids, now);
  }

  loadUnfinishedSearch(sweep: Sweep, openSource: OpenSource): Promise<TrialCreation | undefined> {
    return loadUnfinishedSearch(this.reader, sweep, openSource);
  }

  loadRuleHistory(sweep: Sweep): Promise<void> {
    return loadRuleHistory(this.reader, sweep);
  }

  searchState(sweepId: string): Promise<{ state: SourceState; done: boolean } | undefined> {
    return loadSearchState(this.reader, sweepId);
  }

  loadAgents(): Promise<Map<string, AgentFacts>> {
    return loadAgents(this.reader);
  }

  artifactLocation(): Promise<string | undefined> {
    return artifactLocation(this.reader);
  }

  setArtifactLocation(location: string): Promise<void> {
    return this.#run(() => writeArtifactLocation(this.#sql, location));
  }

  artifactTotals(): Promise<{ artifacts: number; bytes: number }> {
    return artifactTotals(this.reader);
  }

  endedSweeps(choice: EndedSweepChoice): Promise<EndedSweep[]> {
    return endedSweeps(this.reader, choice);
  }

  removeSweep(sweepId: string): Promise<void> {
    return this.#run(() => removeSweepRows(this.#sql, sweepId));
  }

  pendingRemovals(): Promise<string[]> {
    return pendingRemovals(this.reader);
  }

  endRemoval(sweepId: string): Promise<void> {
    return this.#run(() => writeRemovalEnd(this.#sql, sweepId));
  }

  async abandonWrite(): Promise<void> {}

  /** Runs a write that reads no rows. */
  #run(work: () => void): Promise<void> {
    // biome-ignore lint/correctness/useYield: the write reads no rows
    return this.transact(function* () {
      work();
    });
  }
}
