/** Observes the durable progress of a cluster in PostgreSQL, independently of the coordinators. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { DATABASE, urlOf } from './postgres-pair.ts';
import type { ReplicatedCluster } from './replicated-cluster.ts';

const POLL_MS = 150;
const ANSWER_LIMIT_MS = 1_000;

interface Seen {
  /** The time of the observation, in Unix milliseconds. */
  readonly at: number;
  /** The number of attempts that have ended. */
  readonly ended: number;
}

export class Progress {
  readonly #cluster: ReplicatedCluster;
  readonly #steps: Seen[] = [];
  #isOver = false;
  #done: Promise<void>;

  /** Starts to observe the ends of attempts. */
  constructor(cluster: ReplicatedCluster) {
    this.#cluster = cluster;
    this.#done = this.#poll();
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }

  /** The newest observed number of ended attempts; undefined before the first observation. */
  get ended(): number | undefined {
    return this.#steps.at(-1)?.ended;
  }

  /**
   * Returns the longest time after `since` during which no attempt ended, in milliseconds. The time after the last
   * attempt has ended is not counted.
   */
  longestPause(since: number): number {
    const pauses = this.#steps.slice(1).map(({ at }, before) => ({ at, from: this.#steps[before]?.at ?? at }));
    return Math.max(0, ...pauses.filter(({ at }) => at > since).map(({ at, from }) => at - Math.max(from, since)));
  }

  async #poll(): Promise<void> {
    while (!this.#isOver) {
      const { primary } = this.#cluster.postgres;
      const limits = { connectionTimeoutMillis: ANSWER_LIMIT_MS, query_timeout: ANSWER_LIMIT_MS };
      const client = new Client({ connectionString: urlOf(primary, DATABASE), ...limits });
      client.on('error', () => {});
      try {
        await client.connect();
        while (!this.#isOver && primary === this.#cluster.postgres.primary) await this.#look(client);
      } catch {
        // The server does not answer at the moment.
      }
      void client.end().catch(() => {});
      if (!this.#isOver) await sleep(POLL_MS);
    }
  }

  async #look(client: Client): Promise<void> {
    const { rows } = await client.query('select count(*) as n from attempts where outcome is not null');
    const ended = Number(rows[0]?.n);
    if (ended !== this.#steps.at(-1)?.ended) this.#steps.push({ at: Date.now(), ended });
    await sleep(POLL_MS);
  }
}
