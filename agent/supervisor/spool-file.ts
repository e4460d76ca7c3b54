/** The spool's file: held by one agent alone, and set aside when it is damaged, as a loss of power may leave it. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database, { type Database as Db } from 'libsql';
import { RefusedError } from '../../proto/errors.ts';
import { Spool } from './spool.ts';

export interface OpenedSpool {
  readonly spool: Spool;
  /** Where a spool went that was found damaged; undefined: none was. */
  readonly setAside: string | undefined;
}

/** @throws {RefusedError} when another agent uses the folder */
export function openSpool(dir: string): OpenedSpool {
  mkdirSync(dir, { recursive: true });
  const path = join(dir, 'spool.db');
  try {
    const whole = openWhole(path);
    if (whole !== undefined) return { spool: new Spool(whole), setAside: undefined };
    // What it held was acknowledged to nobody: its attempts are lost, and run again.
    const setAside = putAside(path);
    return { spool: new Spool(openDatabase(path)), setAside };
  } catch (error) {
    if (codeOf(error) === 'SQLITE_BUSY') {
      throw new RefusedError(`the folder ${dir} is in use by another agent: give each agent its own with --dir`);
    }
    throw error;
  }
}

/** @returns undefined when it is damaged */
function openWhole(path: string): Db | undefined {
  let db: Db | undefined;
  try {
    db = openDatabase(path);
    const [found] = db.prepare('pragma quick_check(1)').all() as { quick_check: string }[];
    if (found?.quick_check === 'ok') return db;
  } catch (error) {
    if (!['SQLITE_CORRUPT', 'SQLITE_NOTADB'].includes(`${codeOf(error)}`)) throw error;
  }
  db?.close();
  return undefined;
}

/** @throws {SqliteError} SQLITE_BUSY when another process has it */
function openDatabase(path: string): Db {
  const db = new Database(path);
  try {
    // The lock is the operating system's: it is freed however the agent dies.
    db.exec('pragma locking_mode = exclusive');
    db.exec('pragma journal_mode = wal');
    // Off: the page cache outlives the process. A machine that loses power loses the attempt too, and it is run again.
    db.exec('pragma synchronous = off');
    // In this mode a lock once taken is kept until the file is closed.
    db.exec('begin exclusive; commit');
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Moves the spool, with its log, out of the way of a new one. */
function putAside(path: string): string {
  const aside = `${path}.damaged`;
  rmSync(`${aside}-wal`, { force: true });
  renameSync(path, aside);
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`);
  return aside;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
