/**
 * The interface of stores. A store keeps the sweeps, their trials and everything that agents report about them, and is
 * the only source of truth. `SqliteStore` is a file in the coordinator's folder, and `PostgresStore` is a database in
 * PostgreSQL.
 *
 * Every write is one transaction. The transaction is durable when the promise of the write resolves. If the coordinator
 * dies during a write, the store has either all changes of the transaction or none of them. Writes do not overlap: a
 * caller waits for the previous write (Journal.between). Reads return only rows of durable transactions, and can
 * overlap each other and a write. Most reads whose results grow with the sweep return at most one page.
 *
 * Each load function runs several statements, and all of them must see the same state of the loaded data. `loadCore`
 * and `loadAgents` run before the first write. Operations of users call the other load functions, one at a time and
 * after all earlier changes are durable (Runtime.exclusively). During an operation, agents and the scheduler can change
 * live trials, but not the ended trials or the sweep files that the load functions read. If an operation also needs
 * unchanged live trials, it checks after its reads that they have not changed (coordinator/app/apply-version.ts).
 */
import type { StoredFile } from '../backup/backup-folder.ts';
import type { AgentFacts } from '../core/agent-model.ts';
import type { Core, CreationWindow, Sweep, TrialCreation } from '../core/model.ts';
import type { Change } from '../core/step.ts';
import type { Trial } from '../core/trial-model.ts';
import type { PlannedTrial, SourceState, TrialSource } from '../search/trial-source.ts';
import type { EndedSweep, EndedSweepChoice } from './ended-sweeps.ts';
import type { Queries, QueryOptions } from './queries.ts';
import type { Reader } from './reader.ts';
import type { NewSweep } from './submit.ts';
import type { TransactionResult } from './write-events.ts';

/** A change, and the user who made the change; the user is empty for the coordinator's own changes. */
export interface AttributedChange {
  readonly change: Change;
  readonly by: string;
}

/** The file of a stored sweep. */
export interface StoredSweepFile {
  readonly id: string;
  readonly text: string;
  readonly fileName: string;
}

/** Opens the source of the trials that a sweep has not created yet. */
export type OpenSource = (sweep: StoredSweepFile) => TrialSource;

export interface LoadOptions {
  readonly leaseMs: number;
  /** Unix milliseconds. */
  readonly now: number;
  /**
   * Opens the trial source of each sweep that has not created all of its trials. By default, no further trials are
   * created.
   */
  readonly openSource?: OpenSource | undefined;
  /** Default: CREATION_WINDOW */
  readonly creationWindow?: CreationWindow | undefined;
  /** Default: PREFETCH_MS (core/model.ts) */
  readonly prefetchMs?: number | undefined;
}

/** A consistent copy of the store, made while the coordinator keeps running. */
export interface StoreSnapshot {
  /** The size of the copy, in bytes. */
  readonly size: number;
  /** The artifacts and code archives that are recorded in the copy. */
  readonly files: readonly StoredFile[];
  /** Returns the bytes of the copy. */
  read(): AsyncIterable<Buffer>;
  /** Must be called after the copy has been read, and also if the copy will not be read. */
  end(): void;
}

export interface Store {
  /** The coordinator's cluster name on NATS, which is unique to the store. */
  readonly cluster: string;
  readonly reader: Reader;
  queries(options?: QueryOptions): Queries;

  /**
   * Writes the changes in one transaction, in order.
   * @param at the time of the changes in Unix milliseconds
   */
  write(changes: readonly AttributedChange[], at: number): Promise<TransactionResult>;
  /**
   * Adds a sweep with its first trials. `by` is the user who submits the sweep; default: unknown.
   * @returns the id of the sweep; a repeated request returns the id of the sweep that the first request added
   */
  addSweep(sweep: NewSweep, trials: readonly PlannedTrial[], at: number, by?: string): Promise<string>;

  /**
   * Loads the sweeps that have not ended, with their live trials. Leases of running attempts are extended to their full
   * duration from now, because no heartbeat could arrive while the coordinator was down. The delays before retries are
   * not stored, so retries are due immediately.
   */
  loadCore(options: LoadOptions): Promise<Core>;
  /** Loads a sweep without its leases. A sweep that has ended creates no more trials. */
  loadSweep(id: string, now: number, openSource?: OpenSource): Promise<Sweep>;
  /**
   * Loads trials of a sweep into memory, without their leases. The counts of the sweep already include these trials.
   * Trials that are already in memory are skipped. All earlier changes must be durable before this call.
   * @returns the loaded trials
   */
  loadTrials(sweep: Sweep, ids: readonly string[], now: number): Promise<Trial[]>;
  /**
   * Returns the source of the trials that a sweep had not created yet when it was stopped or killed. Undefined if all
   * trials of the sweep were created, or if an older version of trawl created them at the submission.
   */
  loadUnfinishedSearch(sweep: Sweep, openSource: OpenSource): Promise<TrialCreation | undefined>;
  /**
   * Loads the data that a new early-stopping rule of a sweep compares: the scores of the rungs, and the curves of live
   * trials.
   */
  loadRuleHistory(sweep: Sweep): Promise<void>;
  /**
   * Returns the state of a sweep's trial source. Undefined if an older version of trawl created all trials at the
   * submission.
   */
  searchState(sweepId: string): Promise<{ readonly state: SourceState; readonly done: boolean } | undefined>;
  /** Returns the known agents, by id. Agents that were connected count as lost. */
  loadAgents(): Promise<Map<string, AgentFacts>>;

  /**
   * Returns the recorded location of the artifacts, such as `s3://bucket/`; undefined if the artifacts are in the
   * coordinator's folder.
   */
  artifactLocation(): Promise<string | undefined>;
  setArtifactLocation(location: string): Promise<void>;
  /** Returns the number of artifacts and their total size, checkpoints included. */
  artifactTotals(): Promise<{ readonly artifacts: number; readonly bytes: number }>;

  /**
   * Returns the ended sweeps that can be removed, oldest first. The newest sweep is omitted, so that its id is not
   * reused.
   */
  endedSweeps(choice: EndedSweepChoice): Promise<EndedSweep[]>;
  /** Removes the rows of an ended sweep, and records that its artifacts have not been removed yet. */
  removeSweep(sweepId: string): Promise<void>;
  /** Returns the ids of the sweeps whose rows are removed and whose artifacts may remain. */
  pendingRemovals(): Promise<string[]>;
  /** Records that the artifacts of a removed sweep are gone. */
  endRemoval(sweepId: string): Promise<void>;

  /**
   * Begins a snapshot.
   * @throws {RejectedError | UnreachableError} if the store is busy or does not answer
   */
  snapshot(): Promise<StoreSnapshot>;
  /**
   * Ends the write in progress, so that another coordinator can lead. The write fails, and so does every later write.
   * Does nothing if only one coordinator can use the store.
   */
  abandonWrite(): Promise<void>;
  close(): Promise<void>;
}
