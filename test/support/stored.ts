/** Reads the contents of a store after its coordinator has ended. */
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import type { PostgresServer } from './postgres-server.ts';

interface StoredTrial {
  readonly id: string;
  readonly state: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Number of granted attempts. */
  readonly attempts: number;
}

export interface StoredAttempt {
  readonly trial: string;
  readonly number: number;
  readonly agent: string;
  readonly slot: number;
  /** `grantedAt` and `endedAt` are Unix times in milliseconds. `endedAt` is zero if the attempt has not ended. */
  readonly grantedAt: number;
  readonly endedAt: number;
  /** The outcome of the attempt; null if the attempt has not ended. */
  readonly outcome: string | null;
  readonly failureClass: string | null;
  readonly failureMessage: string | null;
}

interface StoredReport {
  readonly trial: string;
  readonly attempt: number;
  readonly seq: number;
  readonly epoch: number;
  readonly metrics: Readonly<Record<string, number>>;
}

export interface EventRow {
  readonly seq: number;
  /** The id of the trial; empty for events of the sweep. */
  readonly trial: string;
  /** The number of the attempt; zero for events of the trial itself. */
  readonly attempt: number;
  readonly kind: string;
  readonly detail: string;
}

export interface Stored {
  readonly trials: readonly StoredTrial[];
  readonly attempts: readonly StoredAttempt[];
  readonly reports: readonly StoredReport[];
  readonly events: readonly EventRow[];
}

/**
 * For each list of `Stored`, a function that returns the query with a given condition, such as `where sweep_id = 1`.
 */
const QUERIES: Readonly<Record<keyof Stored, (where: string) => string>> = {
  trials: (where) => `select id, state, parameters, attempts from trials ${where} order by sweep_id, idx`,
  attempts: (where) => `select trial_id as trial, number, agent_id as agent, slot, granted_at as "grantedAt",
     ended_at as "endedAt", outcome, failure_class as "failureClass", failure_message as "failureMessage"
   from attempts ${where} order by trial_id, number`,
  reports: (where) =>
    `select trial_id as trial, attempt, seq, epoch, metrics from reports ${where} order by trial_id, attempt, seq`,
  events: (where) => `select seq, trial_id as trial, attempt, kind, detail from events ${where} order by seq`,
};

function parsed<Row extends object, Key extends keyof Row>(rows: readonly unknown[], key: Key): Row[] {
  return (rows as readonly Row[]).map((row) => ({ ...row, [key]: JSON.parse(`${row[key]}`) }));
}

/**
 * Reads a store in PostgreSQL.
 * @param sweep the sweep whose rows are read. Default: all sweeps
 */
export async function readPostgres(
  server: Pick<PostgresServer, 'query'>,
  database: string,
  sweep?: string,
): Promise<Stored> {
  const where = sweep === undefined ? '' : `where sweep_id = ${Number(sweep)}`;
  const rows = (list: keyof Stored) => server.query(database, QUERIES[list](where));
  return {
    trials: parsed<StoredTrial, 'parameters'>(await rows('trials'), 'parameters'),
    attempts: (await rows('attempts')) as unknown as StoredAttempt[],
    reports: parsed<StoredReport, 'metrics'>(await rows('reports'), 'metrics'),
    events: (await rows('events')) as unknown as EventRow[],
  };
}

/** Reads a copy of the store, because libsql keeps the lock of a store until the process ends. */
export function readStore(dir: string): Stored {
  const copy = mkdtempSync(join(tmpdir(), 'trawl-store-'));
  for (const name of ['store.db', 'store.db-wal']) {
    if (existsSync(join(dir, name))) copyFileSync(join(dir, name), join(copy, name));
  }
  const db = new Database(join(copy, 'store.db'));
  try {
    const rows = (list: keyof Stored) => db.prepare(QUERIES[list]('')).all();
    return {
      trials: parsed<StoredTrial, 'parameters'>(rows('trials'), 'parameters'),
      attempts: rows('attempts') as StoredAttempt[],
      reports: parsed<StoredReport, 'metrics'>(rows('reports'), 'metrics'),
      events: rows('events') as EventRow[],
    };
  } finally {
    db.close();
    rmSync(copy, { recursive: true, force: true });
  }
}
