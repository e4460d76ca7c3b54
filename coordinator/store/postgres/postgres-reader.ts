/** Reads from PostgreSQL over connections of its own, so that reads do not wait for writes. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'pg';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { UnreachableError } from '../../../proto/errors.ts';
import { DIALECTS } from '../dialect.ts';
import type { Reader, Value } from '../reader.ts';
import { clientConfig, shownUrl } from './connection.ts';
import { isDisconnect } from './transactions.ts';
import { numbered, statementName, toParameter } from './values.ts';

const MAX_CONNECTIONS = 4;
const RETRY_LIMIT_MS = 20_000;
const RETRY_INTERVAL_MS = 250;

export class PostgresReader implements Reader {
  readonly dialect = DIALECTS.postgresql;
  readonly #pool: Pool;
  readonly #url: URL;

  constructor(url: URL) {
    this.#url = url;
    this.#pool = new Pool({ ...clientConfig(url), max: MAX_CONNECTIONS });
    // A lost connection is replaced at the next read.
    this.#pool.on('error', () => {});
  }

  /** @throws {UnreachableError} if the server does not answer for 20 s */
  async all<Row>(sql: string, ...values: readonly Value[]): Promise<Row[]> {
    const text = numbered(sql);
    const query = { name: statementName(text), text, values: values.map(toParameter) };
    const begun = performance.now();
    while (true) {
      try {
        return (await this.#pool.query(query)).rows as Row[];
      } catch (error) {
        if (!isDisconnect(error)) throw error;
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
