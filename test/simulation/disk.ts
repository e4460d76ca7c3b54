/**
 * A database that outlives its processes: SQLite in memory, with the product's own tables and statements. Each process
 * has its own view. The view fails when the disk is full or the process is dead, and can kill the process immediately
 * before or after a commit.
 */
import Database, { type Database as Db } from 'libsql';
import { DeadError, DiskFullError, type SimulatedProcess } from './process.ts';

export class Disk {
  readonly db: Db = new Database(':memory:');
  full = false;
  /** A planted bug: rows of a transaction survive when the process dies before its commit. */
  torn = false;
  /** Whether the current transaction has created a trial. */
  #creates = false;

  view(process: SimulatedProcess): Db {
    const view: Pick<Db, 'exec' | 'prepare' | 'transaction' | 'inTransaction' | 'close'> = {
      exec: (sql: string) => this.#exec(process, sql),
      prepare: ((sql: string) => this.#prepare(process, sql)) as Db['prepare'],
      transaction: ((work: () => unknown) => ({ immediate: () => this.#transaction(process, work) })) as never,
      inTransaction: false,
      close: () => view as Db,
    };
    Object.defineProperty(view, 'inTransaction', { get: () => this.db.inTransaction });
    return view as Db;
  }

  #exec(process: SimulatedProcess, sql: string): Db {
    if (sql === 'rollback') return this.db.exec(sql);
    this.#check(process);
    if (sql === 'begin immediate') this.#creates = false;
    if (sql === 'commit') this.#dieBeforeCommit(process);
    this.db.exec(sql);
    if (sql === 'commit') afterCommit(process);
    return this.db;
  }

  #transaction(process: SimulatedProcess, work: () => unknown): unknown {
    this.#exec(process, 'begin immediate');
    try {
      const result = work();
      this.#exec(process, 'commit');
      return result;
    } catch (error) {
      if (this.db.inTransaction) this.db.exec('rollback');
      throw error;
    }
  }

  #prepare(process: SimulatedProcess, sql: string) {
    const statement = this.db.prepare(sql);
    return {
      get: (...values: unknown[]) => statement.get(...values),
      iterate: (...values: unknown[]) => statement.iterate(...values),
      all: (...values: unknown[]) => {
        if (/^(insert|update|delete)/.test(sql)) this.#check(process);
        return statement.all(...values);
      },
      run: (...values: unknown[]) => {
        this.#check(process);
        if (sql.startsWith('insert into trials')) this.#creates = true;
        const result = statement.run(...values);
        if (this.torn && this.db.inTransaction && process.deathPoint?.at === 'before commit') {
          this.db.exec('commit');
          process.kill();
          throw new DeadError();
        }
        return result;
      },
    };
  }

  #check(process: SimulatedProcess): void {
    if (!process.alive) throw new DeadError();
    if (this.full) throw new DiskFullError('database or disk is full');
  }

  /** If the process is to die before this commit, rolls the transaction back and kills the process. */
  #dieBeforeCommit(process: SimulatedProcess): void {
    const at = process.deathPoint?.at;
    if (at !== 'before commit' && !(at === 'before creation' && this.#creates)) return;
    this.db.exec('rollback');
    process.kill();
    throw new DeadError();
  }
}

function afterCommit(process: SimulatedProcess): void {
  if (process.deathPoint?.at === 'after commit') process.kill();
}
