/**
 * Elects the leader of the coordinators that share a store in PostgreSQL. The election has a connection of its own, so
 * that a renewal does not wait for a transaction. After an error, the next request opens a new connection.
 */
import type { Client } from 'pg';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { UnreachableError } from '../../../proto/errors.ts';
import type { Election, EndedLeadership } from '../../leader/leader.ts';
import { type Leadership, RENEW_INTERVAL_MS, type Term } from '../../leader/leadership.ts';
import { type Connected, connect, schemaError } from './connection.ts';
import { release, renew, tryToLead } from './leadership.ts';
import { type PostgresLocation, parsePostgresLocation } from './location.ts';
import { ensureLeadershipTable } from './schema.ts';
import { commitWaitProblem } from './stalls.ts';
import { isDisconnect } from './transactions.ts';

/** A request fails after this time, in milliseconds, so that a leader has time for another renewal. */
const REQUEST_LIMIT_MS = RENEW_INTERVAL_MS * 0.6;

const SETTINGS = {
  application_name: 'trawl election',
  pipeline: false,
  connectionTimeoutMillis: REQUEST_LIMIT_MS,
  query_timeout: REQUEST_LIMIT_MS,
};

export class PostgresElection implements Election {
  readonly #location: PostgresLocation;
  #connected: Connected | undefined;

  /** @throws {BadInputError} if the URL is invalid */
  constructor(location: string) {
    this.#location = parsePostgresLocation(location);
  }

  tryToLead(holder: string, address: string, over?: EndedLeadership): Promise<Leadership> {
    return this.#request((client) => tryToLead(client, holder, address, over));
  }

  /**
   * Returns the recorded location of the artifacts. Undefined if no leader has recorded a location; the artifacts are
   * then in the leader's folder.
   */
  artifactLocation(): Promise<string | undefined> {
    return this.#request(async (client) => {
      const { rows: tables } = await client.query("select to_regclass('meta') is not null as exists");
      if (!tables[0].exists) return undefined;
      const { rows } = await client.query("select value from meta where name = 'artifacts'");
      return rows[0]?.value;
    });
  }

  renew(term: Term, address: string): Promise<boolean> {
    return this.#request((client) => renew(client, term, address));
  }

  release(term: Term): Promise<void> {
    return this.#request((client) => release(client, term));
  }

  async close(): Promise<void> {
    const connected = this.#connected;
    this.#connected = undefined;
    await connected?.client.end().catch(() => {});
  }

  /**
   * @throws {UnreachableError} if the server does not answer in time
   * @throws {RejectedError} if the database cannot be used
   */
  async #request<T>(run: (client: Client) => Promise<T>): Promise<T> {
    try {
      this.#connected ??= await this.#connect();
      return await run(this.#connected.client);
    } catch (error) {
      this.#connected?.cut();
      this.#connected = undefined;
      if (!isDisconnect(error) && !isTimeout(error)) throw error;
      const problem = await this.#commitWaitProblem();
      throw new UnreachableError(
        problem ?? `PostgreSQL at ${this.#location.name} does not answer: ${errorMessage(error)}`,
      );
    }
  }

  async #connect(): Promise<Connected> {
    const connected = await connect(this.#location, SETTINGS);
    const { client, url, cut } = connected;
    try {
      // An abandoned attempt to lead must not succeed later.
      await client.query("select set_config('statement_timeout', $1, false)", [`${REQUEST_LIMIT_MS}`]);
      await ensureLeadershipTable(client);
      return connected;
    } catch (error) {
      cut();
      throw schemaError(error, url);
    }
  }

  async #commitWaitProblem(): Promise<string | undefined> {
    try {
      const { client, cut } = await connect(this.#location, SETTINGS);
      return await commitWaitProblem(client).finally(cut);
    } catch {
      return undefined;
    }
  }
}

/** Returns whether an error is PostgreSQL's error 57014, which a statement gets when it exceeds its time limit. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '57014';
}
