/**
 * A store that several coordinators share, on its own server. The model covers PostgreSQL itself, and the leadership
 * and the transactions in coordinator/store/postgres. A transaction is one event on the server, so a takeover never
 * happens between the check that the coordinator may write and the commit. On a real server, a lock prevents such a
 * takeover (coordinator/store/postgres/postgres-store.slow.test.ts).
 *
 * A failover ends all connections. Requests and answers in transit are lost. The next server has all committed
 * transactions, and a clock of its own.
 */

import type { Election, EndedLeadership } from '../../coordinator/leader/leader.ts';
import { LEADERSHIP_MS, type Leadership, RENEW_INTERVAL_MS, type Term } from '../../coordinator/leader/leadership.ts';
import { commitCounted } from '../../coordinator/store/high-water.ts';
import { RepeatedTransactions } from '../../coordinator/store/postgres/repeated-transactions.ts';
import { type Counters, UnknownOutcomeError } from '../../coordinator/store/postgres/transactions.ts';
import { SqliteStore } from '../../coordinator/store/sqlite-store.ts';
import type { AttributedChange } from '../../coordinator/store/store.ts';
import type { Steps } from '../../coordinator/store/write-sql.ts';
import { NotLeaderError, UnreachableError } from '../../proto/errors.ts';
import type { Bug } from './bug.ts';
import type { Disk } from './disk.ts';
import type { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';

export const STORE_PLACE = 'postgres';
/** The time limit of an election request, as in coordinator/store/postgres/election.ts. */
const REQUEST_LIMIT_MS = RENEW_INTERVAL_MS * 0.6;
const RESEND_MS = 200;
const DELAY_MS = 2;

const lostConnection = () => new Error('Connection terminated');

export class SharedDatabase {
  readonly disk: Disk;
  readonly #network: SimulatedNetwork;
  #server = new SimulatedProcess(STORE_PLACE);
  #commits = 0;
  #writer = 0;
  #epoch = 0;
  #holder = '';
  #address = '';
  #expiresAt = Number.NEGATIVE_INFINITY;
  /** For each place whose process is to be suspended at its next transaction, the end of the suspension. */
  readonly #freezes = new Map<string, number>();
  /** The difference between the clock of the current server and virtual time, in milliseconds. */
  #clockOffMs = 0;

  constructor(disk: Disk, network: SimulatedNetwork) {
    this.disk = disk;
    this.#network = network;
  }

  get epoch(): number {
    return this.#epoch;
  }

  get #now(): number {
    return this.#network.clock.now + this.#clockOffMs;
  }

  /** Ends the server. Another server takes its place after `downMs`. */
  failOver(downMs: number, clockOffMs: number): void {
    this.#server.kill();
    this.#network.clock.after(downMs, undefined, () => {
      this.#clockOffMs = clockOffMs;
      this.#server = new SimulatedProcess(STORE_PLACE);
    });
  }

  /**
   * Suspends the process of a place when its next transaction reaches the server, before the process gets an answer.
   * The process resumes at the time `until`.
   */
  freezeInTransaction(place: string, until: number): void {
    this.#freezes.set(place, until);
  }

  /** Runs a part of a transaction on the server. See `request`. */
  transaction<T>(client: SimulatedProcess, work: () => T): Promise<T> {
    return this.request(client, () => {
      const until = this.#freezes.get(client.name);
      this.#freezes.delete(client.name);
      if (until !== undefined) client.freeze(until);
      return work();
    });
  }

  /** Runs `work` on the server. Rejects if the connection is lost; `work` may still have run. */
  request<T>(client: SimulatedProcess, work: () => T): Promise<T> {
    const { clock, random } = this.#network;
    const server = this.#server;
    return new Promise((resolve, reject) => {
      const lost = () => clock.after(random.between(1, 300), client, () => reject(lostConnection()));
      if (!server.alive) {
        lost();
        return;
      }
      server.onDeath(lost);
      this.#deliver(client, server, () => {
        try {
          const value = work();
          this.#deliver(server, client, () => resolve(value));
        } catch (error) {
          this.#deliver(server, client, () => reject(error));
        }
      });
    });
  }

  /** Delivers a message. A cut delays the message. The message of a dead process can still arrive. */
  #deliver(from: SimulatedProcess, to: SimulatedProcess, work: () => void): void {
    const { clock, random, conditions } = this.#network;
    const isSlow = random.next() < conditions.slow / 5;
    clock.after(random.between(0, isSlow ? conditions.slowMs : DELAY_MS), to, () => {
      if (this.#network.isCut(from.name, to.name)) clock.after(RESEND_MS, to, () => this.#deliver(from, to, work));
      else work();
    });
  }

  tryToLead(holder: string, address: string, { expiresAt }: EndedLeadership = {}): Leadership {
    const isStale = expiresAt === `${this.#expiresAt}`;
    if (['', holder].includes(this.#holder) || this.#expiresAt <= this.#now || isStale) {
      this.#writer += 1;
      this.#epoch += 1;
      this.#holder = holder;
      this.#address = address;
      this.#expiresAt = this.#now + LEADERSHIP_MS;
    }
    return {
      epoch: this.#epoch,
      holder: this.#holder,
      address: this.#address,
      remainingMs: this.#expiresAt - this.#now,
      expiresAt: `${this.#expiresAt}`,
    };
  }

  renew(term: Term, address: string): boolean {
    if (!this.#isHeld(term)) return false;
    this.#expiresAt = this.#now + LEADERSHIP_MS;
    this.#address = address;
    return true;
  }

  release(term: Term): void {
    if (this.#isHeld(term)) this.#holder = '';
  }

  /** @throws {NotLeaderError} if the term has ended */
  becomeWriter(term: Term): Counters {
    if (!this.#isHeld(term)) throw new NotLeaderError('another coordinator leads');
    this.#writer += 1;
    return { writer: this.#writer, commits: this.#commits, lastEvent: 0 };
  }

  #isHeld({ epoch, holder }: Term): boolean {
    return epoch === this.#epoch && holder === this.#holder;
  }

  /** @throws {Error} with the code of the real store's error, if another coordinator has become the writer */
  checkWriter({ writer }: Counters): void {
    if (writer !== this.#writer) throw Object.assign(new Error('another coordinator leads'), { code: 'TRWL1' });
  }

  commit<T>({ commits }: Counters, isCounted: boolean, work: () => T): T {
    if (isCounted && commits !== this.#commits) {
      throw new Error(`the store has ${this.#commits} transactions, but the coordinator expects ${commits}`);
    }
    const result = commitCounted(this.disk.db, work);
    this.#commits += 1;
    return result;
  }
}

export class SharedElection implements Election {
  readonly #database: SharedDatabase;
  readonly #process: SimulatedProcess;
  readonly #network: SimulatedNetwork;

  constructor(database: SharedDatabase, process: SimulatedProcess, network: SimulatedNetwork) {
    this.#database = database;
    this.#process = process;
    this.#network = network;
  }

  tryToLead(holder: string, address: string, over?: EndedLeadership): Promise<Leadership> {
    return this.#request(() => this.#database.tryToLead(holder, address, over));
  }

  renew(term: Term, address: string): Promise<boolean> {
    return this.#request(() => this.#database.renew(term, address));
  }

  release(term: Term): Promise<void> {
    return this.#request(() => this.#database.release(term));
  }

  async close(): Promise<void> {}

  #request<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = () => reject(new UnreachableError('the store does not answer'));
      this.#network.clock.after(REQUEST_LIMIT_MS, this.#process, late);
      this.#database.request(this.#process, work).then(resolve, late);
    });
  }
}

interface SharedStoreOptions {
  readonly bug: Bug;
  /** Called for each transaction as soon as it is durable. */
  readonly onDurable: (changes: readonly AttributedChange[]) => void;
}

interface Session {
  readonly counters: Counters;
}

export class SharedStore extends SqliteStore {
  readonly #database: SharedDatabase;
  readonly #process: SimulatedProcess;
  readonly #options: SharedStoreOptions;
  readonly #transactions: RepeatedTransactions<Session>;

  private constructor(
    database: SharedDatabase,
    process: SimulatedProcess,
    term: Term,
    session: Session,
    options: SharedStoreOptions,
  ) {
    super(database.disk.db, '');
    this.#database = database;
    this.#process = process;
    this.#options = options;
    this.#transactions = new RepeatedTransactions(session, {
      name: 'shared',
      reopen: () => openSession(database, process, term),
      onDurable: () => {},
    });
  }

  /** @throws {NotLeaderError} if the term has ended */
  static async openFor(
    term: Term,
    database: SharedDatabase,
    process: SimulatedProcess,
    options: SharedStoreOptions,
  ): Promise<SharedStore> {
    return new SharedStore(database, process, term, await openSession(database, process, term), options);
  }

  protected override transact<T>(work: () => Steps<T>, changes: readonly AttributedChange[] = []): Promise<T> {
    return this.#transactions.run(
      ({ counters }) => this.#attempt(counters, work, changes),
      () => this.forgetKnown(),
    );
  }

  async #attempt<T>(
    counters: Counters,
    work: () => Steps<T>,
    changes: readonly AttributedChange[],
  ): Promise<{ readonly result: T; readonly counters: Counters }> {
    const { bug, onDurable } = this.#options;
    if (bug.epochCheck === 'before the transaction') {
      await this.#database.transaction(this.#process, () => this.#database.checkWriter(counters));
    }
    let result: T | undefined;
    try {
      await this.#database.transaction(this.#process, () => {
        if (bug.epochCheck === undefined) this.#database.checkWriter(counters);
        result = this.#database.commit(counters, bug.epochCheck === undefined, () => this.complete(work()));
        onDurable(changes);
      });
    } catch (error) {
      if (error instanceof Error && error.message === lostConnection().message)
        throw new UnknownOutcomeError(result, error);
      throw error;
    }
    return { result: result as T, counters: { ...counters, commits: counters.commits + 1 } };
  }
}

async function openSession(database: SharedDatabase, process: SimulatedProcess, term: Term): Promise<Session> {
  const counters = await database.request(process, () => database.becomeWriter(term));
  return { counters };
}
