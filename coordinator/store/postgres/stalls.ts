/**
 * Watches the requests that PostgreSQL does not answer, and finds out why: another server was promoted, the connection
 * was lost without notice, or commits wait for a synchronous standby server.
 */
import type { Client } from 'pg';

/** If a request has had no answer for this time, the reason is examined. */
const STALL_MS = 3_000;
const EXAMINE_INTERVAL_MS = 1_000;

export interface StallOptions {
  /** Returns why requests are not answered; undefined if the server is still working on them. */
  readonly examine: () => Promise<string | undefined>;
  /** @param problem why requests are not answered; undefined when they are answered again */
  readonly onProblem: (problem: string | undefined) => void;
}

export class StallWatch {
  readonly #options: StallOptions;
  readonly #begun = new Set<{ readonly at: number }>();
  #timer: NodeJS.Timeout | undefined;
  #isExamining = false;
  #problem: string | undefined;

  constructor(options: StallOptions) {
    this.#options = options;
  }

  /** Watches a request until it settles, and returns its result. */
  async during<T>(request: Promise<T>): Promise<T> {
    const entry = { at: performance.now() };
    this.#begun.add(entry);
    this.#timer ??= setInterval(() => void this.#check(), EXAMINE_INTERVAL_MS);
    try {
      return await request;
    } finally {
      this.#begun.delete(entry);
      if (!this.#isStalled()) this.#set(undefined);
      if (this.#begun.size === 0) this.close();
    }
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A set keeps the order of insertion, so the first request is the oldest. */
  #isStalled(): boolean {
    const [oldest] = this.#begun;
    return oldest !== undefined && performance.now() - oldest.at >= STALL_MS;
  }

  async #check(): Promise<void> {
    if (this.#isExamining || !this.#isStalled()) return;
    this.#isExamining = true;
    const problem = await this.#options.examine().finally(() => {
      this.#isExamining = false;
    });
    this.#set(this.#isStalled() ? problem : undefined);
  }

  #set(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onProblem(problem);
  }
}

/** Returns whether the server still has the process `pid`, which serves a connection. */
export async function serves(client: Client, pid: number): Promise<boolean> {
  return (await client.query('select 1 from pg_stat_activity where pid = $1', [pid])).rows.length > 0;
}

/**
 * If commits wait for a synchronous standby server, returns a message about this problem; otherwise undefined. The
 * query needs no special permission, because it reads only sessions of its own user.
 */
export async function commitWaitProblem(client: Client): Promise<string | undefined> {
  const { rows } = await client.query(
    `select current_setting('synchronous_standby_names') as names from pg_stat_activity
     where wait_event = 'SyncRep' and usename = current_user and datname = current_database()
       and current_setting('synchronous_standby_names') <> '' limit 1`,
  );
  return rows[0] && syncText(`${rows[0].names}`);
}

function syncText(names: string): string {
  return (
    `commits wait for a synchronous standby of PostgreSQL (synchronous_standby_names is "${names}"), so nothing is ` +
    'acknowledged: start the standby or, to continue without it, change synchronous_standby_names and reload'
  );
}
