/** Reads from PostgreSQL over connections of its own, so that reads do not wait for writes. */
import { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClientConfig, Pool } from 'pg';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { UnreachableError } from '../../../proto/errors.ts';
import { DIALECTS } from '../dialect.ts';
import type { Reader, Value } from '../reader.ts';
import { clientConfig } from './connection.ts';
import { shownUrl } from './location.ts';
import type { StallWatch } from './stalls.ts';
import { isDisconnect } from './transactions.ts';
import { numbered, statementName, toParameter } from './values.ts';

const MAX_CONNECTIONS = 4;
const RETRY_LIMIT_MS = 20_000;
const RETRY_INTERVAL_MS = 250;

export class PostgresReader implements Reader {
  readonly dialect = DIALECTS.postgresql;
  #url: URL;
  #pool: Pool;
  #sockets = new Set<Socket>();

  readonly #stalls: StallWatch;
  readonly #settings: ClientConfig;

  /**
   * @param url the URL of the primary server
   * @param settings the settings that override the usual settings of the connections (see clientConfig)
   */
  constructor(url: URL, stalls: StallWatch, settings: ClientConfig = {}) {
    this.#url = url;
    this.#stalls = stalls;
    this.#settings = settings;
    this.#pool = this.#newPool();
  }

  /** Switches to another server. Queries that the previous server has not answered are repeated. */
  moveTo(url: URL): void {
    if (url.href === this.#url.href) return;
    this.#url = url;
    const [pool, sockets] = [this.#pool, this.#sockets];
    this.#sockets = new Set();
    this.#pool = this.#newPool();
    for (const socket of sockets) socket.destroy();
    pool.end().catch(() => {});
  }

  #newPool(): Pool {
    const sockets = this.#sockets;
    const stream = () => {
      const socket = new Socket();
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
      return socket;
    };
    const pool = new Pool({ ...clientConfig(this.#url, this.#settings), max: MAX_CONNECTIONS, stream });
    // A lost connection is replaced at the next read.
    pool.on('error', () => {});
    return pool;
  }

  /** @throws {UnreachableError} if the server does not answer for 20 s */
  all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    return this.#stalls.during(this.#read<Row>(sql, values));
  }

  async #read<Row>(sql: string, values: readonly Value[]): Promise<Row[]> {
    const text = numbered(sql);
    const query = { name: statementName(text), text, values: values.map(toParameter) };
    const begun = performance.now();
    while (true) {
      const pool = this.#pool;
      try {
        return (await pool.query(query)).rows as Row[];
      } catch (error) {
        if (!isDisconnect(error) && pool === this.#pool) throw error;
        if (performance.now() - begun > RETRY_LIMIT_MS) {
          const message = `could not read from PostgreSQL at ${shownUrl(this.#url)}: ${errorMessage(error)}`;
          throw new UnreachableError(message, { cause: error });
        }
        await sleep(RETRY_INTERVAL_MS);
      }
    }
  }

  async get<Row>(sql: string, ...values: readonly Value[]): Promise<Row | undefined> {
    return (await this.all<Row>(sql, ...values))[0];
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
