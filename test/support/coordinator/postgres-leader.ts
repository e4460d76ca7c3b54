/** Opens stores in PostgreSQL for tests, without a coordinator. */
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { Term } from '../../../coordinator/leader/leadership.ts';
import { PostgresElection } from '../../../coordinator/store/postgres/election.ts';
import { PostgresStore } from '../../../coordinator/store/postgres/postgres-store.ts';

/** Lets the leadership expire. */
export async function expireLeadership(url: string): Promise<void> {
  const client = new Client(url);
  await client.connect();
  await client.query("update leadership set expires_at = '-infinity'");
  await client.end();
}

/** Begins a term, even if another process leads. The term is not renewed. */
export async function lead(url: string): Promise<Term> {
  const election = new PostgresElection(url);
  const holder = randomUUID();
  try {
    let leadership = await election.tryToLead(holder, '127.0.0.1:1');
    if (leadership.holder !== holder) {
      await expireLeadership(url);
      leadership = await election.tryToLead(holder, '127.0.0.1:1');
    }
    return { epoch: leadership.epoch, holder };
  } finally {
    await election.close();
  }
}

/** Opens the store as a new leader. */
export async function openAsLeader(url: string, dir: string): Promise<PostgresStore> {
  return PostgresStore.open(url, dir, { term: await lead(url), onProblem: () => {} });
}
