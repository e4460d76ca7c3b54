/** The embedded store: one SQLite file in the coordinator's folder. Only one process can open the store at a time. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Database } from 'libsql';
import { STORE_FILE } from '../../lib/files/coordinator-file.ts';
import { RejectedError } from '../../proto/errors.ts';
import { storedFiles } from '../backup/backup-folder.ts';
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
import { commitCounted } from './high-water.ts';
import { loadCore, loadSearchState, loadSweep, loadUnfinishedSearch } from './load.ts';
import { loadAgents } from './load-agents.ts';
import { loadRuleHistory } from './load-early-stopping.ts';
import { loadTrials } from './load-trials.ts';
import { clusterName, type OpenStoreOptions, openStore } from './open.ts';
import { Queries, type QueryOptions } from './queries.ts';
import { SqliteReader } from './reader.ts';
import type { AttributedChange, LoadOptions, OpenSource, Store, StoreSnapshot } from './store.ts';
import { insertSweep, type NewSweep } from './submit.ts';
import { changeWriter } from './write.ts';
import type { TransactionResult } from './write-events.ts';
import { sqliteSql, type WriteSql } from './write-sql.ts';

/** The default interval between checkpoints of SQLite, in pages. */
const CHECKPOINT_PAGES = 1_000;

export class SqliteStore implements Store {
  readonly cluster: string;
  readonly reader: SqliteReader;
  readonly db: Database;
  readonly #dir: string;
  readonly #sql: WriteSql;
  readonly #write: ReturnType<typeof changeWriter>;

  /** @param dir the coordinator's folder, which contains the file of the store */
  constructor(db: Database, dir: string) {
    this.db = db;
    this.#dir = dir;
    this.cluster = clusterName(db);
    this.reader = new SqliteReader(db);
    this.#sql = sqliteSql(db);
    this.#write = changeWriter(db);
  }

  /** Opens the store in `dir`. @throws the errors of `openStore` */
  static open(dir: string, options: OpenStoreOptions = {}): SqliteStore {
    return new SqliteStore(openStore(dir, options), dir);
  }

  queries(options?: QueryOptions): Queries {
    return new Queries(this.reader, options);
  }

  async write(changes: readonly AttributedChange[], at: number): Promise<TransactionResult> {
    const written: TransactionResult = { events: [], dropped: [] };
    commitCounted(this.db, () => {
      for (const { change, by } of changes) this.#write(change, at, written, by);
    });
    return written;
  }

  async addSweep(sweep: NewSweep, trials: readonly PlannedTrial[], at: number, by?: string): Promise<string> {
    return insertSweep(this.db, sweep, trials, at, by);
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

  async artifactLocation(): Promise<string | undefined> {
    return artifactLocation(this.reader);
  }

  async setArtifactLocation(location: string): Promise<void> {
    commitCounted(this.db, () => writeArtifactLocation(this.#sql, location));
  }

  async artifactTotals(): Promise<{ artifacts: number; bytes: number }> {
    return artifactTotals(this.reader);
  }

  endedSweeps(choice: EndedSweepChoice): Promise<EndedSweep[]> {
    return endedSweeps(this.reader, choice);
  }

  async removeSweep(sweepId: string): Promise<void> {
    commitCounted(this.db, () => removeSweepRows(this.#sql, sweepId));
  }

  async pendingRemovals(): Promise<string[]> {
    return pendingRemovals(this.reader);
  }

  async endRemoval(sweepId: string): Promise<void> {
    commitCounted(this.db, () => writeRemovalEnd(this.#sql, sweepId));
  }

  async snapshot(): Promise<StoreSnapshot> {
    const db = this.db;
    // Later commits stay in the write-ahead log, because the store's file must not change while the file is sent.
    db.exec('pragma wal_autocheckpoint = 0');
    const end = () => {
      if (db.open) db.exec(`pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    };
    try {
      const left = db.prepare('pragma wal_checkpoint(truncate)').get() as { busy: number };
      if (left.busy !== 0) throw new RejectedError('the store is busy; retry the backup');
      const path = join(this.#dir, STORE_FILE);
      return { size: statSync(path).size, files: storedFiles(db), read: () => readInChildProcess(path), end };
    } catch (error) {
      end();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.db.close();
  }
}

/**
 * Reads a file in a separate process. A process that closes any descriptor of a file loses all of its locks on the
 * file, including SQLite's lock on the store.
 */
async function* readInChildProcess(path: string): AsyncGenerator<Buffer> {
  const reader = spawn('cat', [path], { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  reader.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = once(reader, 'exit') as Promise<[number | null]>;
  exited.catch(() => {});
  try {
    yield* reader.stdout as Readable & AsyncIterable<Buffer>;
    const [code] = await exited;
    if (code !== 0) throw new Error(`could not read the store: ${errors.trim()}`);
  } finally {
    reader.kill();
  }
}
