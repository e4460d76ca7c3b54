/**
 * Runs transactions over a connection that can be lost. After a reconnect, the number of transactions in the store
 * shows whether the last transaction is durable. If the transaction is not durable, it is repeated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NotLeaderError, RejectedError, UnreachableError } from '../../../proto/errors.ts';
import { isNotWriter } from './leadership.ts';
import { type Counters, isDisconnect, UnknownOutcomeError } from './transactions.ts';

const RECONNECT_LIMIT_MS = 60_000;
const RECONNECT_INTERVAL_MS = 250;

export interface RepeatedOptions<Session> {
  /** The name that error messages use for the store. */
  readonly name: string;
  /**
   * Replaces a session whose connection is lost. Afterward, the old session can no longer write.
   * @throws {NotLeaderError} if the term of this coordinator has ended
   */
  readonly reopen: (lost: Session) => Promise<Session>;
  /** Called when `commits` transactions are durable. */
  readonly onDurable: (commits: number) => void;
}

export class RepeatedTransactions<Session extends { readonly counters: Counters }> {
  readonly #options: RepeatedOptions<Session>;
  #session: Session;
  #isEnded = false;

  constructor(session: Session, options: RepeatedOptions<Session>) {
    this.#session = session;
    this.#options = options;
  }

  get session(): Session {
    return this.#session;
  }

  /** After this call, a transaction that fails is not repeated, and no transaction begins. */
  end(): void {
    this.#isEnded = true;
  }

  /**
   * Runs a transaction until it is durable.
   * @param attempt runs the transaction once
   * @param onFailed called after each failed attempt
   * @throws {NotLeaderError} if another coordinator leads, or after `end`
   * @throws {UnreachableError} if the server does not answer for a minute
   * @throws {RejectedError} if the number of transactions in the store differs from the number that this coordinator
   * expects
   */
  async run<T>(
    attempt: (session: Session) => Promise<{ readonly result: T; readonly counters: Counters }>,
    onFailed: () => void,
  ): Promise<T> {
    while (true) {
      this.#requireNotEnded();
      const { counters } = this.#session;
      try {
        const done = await attempt(this.#session);
        this.#session = { ...this.#session, counters: done.counters };
        this.#options.onDurable(done.counters.commits);
        return done.result;
      } catch (error) {
        onFailed();
        if (isNotWriter(error)) throw new NotLeaderError('another coordinator leads', { cause: error });
        const isUnknown = error instanceof UnknownOutcomeError;
        if (!isUnknown && !isDisconnect(error)) throw error;
        this.#requireNotEnded();
        await this.#reconnect();
        const { commits } = this.#session.counters;
        if (isUnknown && commits === counters.commits + 1) {
          this.#options.onDurable(commits);
          return error.result as T;
        }
        if (commits !== counters.commits) throw this.#otherTransactions(commits, counters.commits);
      }
    }
  }

  #requireNotEnded(): void {
    if (this.#isEnded) throw new NotLeaderError('this coordinator no longer leads');
  }

  #otherTransactions(stored: number, made: number): RejectedError {
    return new RejectedError(
      `the store ${this.#options.name} has ${stored} transactions after a lost connection, but the coordinator ` +
        `expects ${made}: PostgreSQL has lost transactions, or another program has changed the store`,
    );
  }

  async #reconnect(): Promise<void> {
    const begun = performance.now();
    while (true) {
      this.#requireNotEnded();
      try {
        this.#session = await this.#options.reopen(this.#session);
        return;
      } catch (error) {
        const isUnreachable = error instanceof UnreachableError && !(error instanceof NotLeaderError);
        const canRetry = isUnreachable || isDisconnect(error);
        if (!canRetry || performance.now() - begun > RECONNECT_LIMIT_MS) throw error;
        await sleep(RECONNECT_INTERVAL_MS);
      }
    }
  }
}
