/**
 * Keeps the leadership of coordinators in PostgreSQL: a table with one row, and the check that begins each transaction.
 *
 * The column `writer` contains the number of the connection that may write. The number increases with each new leader,
 * and each time a leader opens a new connection. Each transaction names the number of its connection, and locks the row
 * until the transaction ends (`for key share`). `writer` is the primary key, so a change of `writer` waits for that
 * lock. A renewal changes only other columns, and does not wait. After a change of `writer`, every transaction of an
 * earlier connection has therefore ended, or will fail.
 *
 * A renewal of an expired leadership succeeds if no other coordinator has led since the expiry.
 */
import type { Client } from 'pg';
import { NotLeaderError } from '../../../proto/errors.ts';
import type { EndedLeadership } from '../../leader/leader.ts';
import { LEADERSHIP_MS, type Leadership, RENEW_INTERVAL_MS, type Term } from '../../leader/leadership.ts';

/** The error code of PostgreSQL that shows that the connection may not write. */
const NOT_WRITER = 'TRWL1';

export const LEADERSHIP_TABLE = `
drop function if exists trawl_begin_write(bigint);

create table leadership (
  writer bigint primary key,
  epoch bigint not null,
  holder text not null,
  address text not null,
  expires_at timestamp with time zone not null
);
insert into leadership (writer, epoch, holder, address, expires_at) values (0, 0, '', '', '-infinity');

-- Fails unless this connection may write, and keeps other coordinators from leading until the transaction ends.
create function trawl_check_writer(expected bigint) returns void language plpgsql as $$
begin
  perform 1 from leadership where writer = expected for key share;
  if not found then
    raise exception 'another coordinator leads' using errcode = '${NOT_WRITER}';
  end if;
end $$;

-- Begins a transaction: counts it, and fails if the store does not have the expected number of transactions.
create function trawl_begin_write(expected bigint, writer bigint) returns void language plpgsql as $$
declare stored bigint;
begin
  perform trawl_check_writer(writer);
  update meta set value = cast(cast(value as bigint) + 1 as text) where name = 'commits'
    returning cast(value as bigint) - 1 into stored;
  if stored is distinct from expected then
    raise exception 'the store has % transactions, but the coordinator expects %: another program has changed it',
      stored, expected;
  end if;
end $$;
`;

/** The expiry as a text, which does not depend on the settings of the session. */
const EXPIRY = "cast(extract(epoch from greatest(expires_at, 'epoch')) as text)";
const DURATION = "cast($3 as bigint) * interval '1 millisecond'";

/**
 * Becomes the leader if no other coordinator leads. Waits until the transactions of the previous leader have ended.
 * @param address HOST:PORT of this coordinator
 * @param over a leadership that has ended, although it has not expired
 * @returns the leadership in the store, which another coordinator may hold
 */
export async function tryToLead(
  client: Client,
  holder: string,
  address: string,
  { holder: ended = '', expiresAt }: EndedLeadership = {},
): Promise<Leadership> {
  // An earlier attempt of this process may have succeeded, although its answer was lost. The statement therefore also
  // accepts this process (`$1`) as the current holder.
  await client.query(
    `update leadership set writer = writer + 1, epoch = epoch + 1, holder = $1, address = $2,
       expires_at = clock_timestamp() + ${DURATION}
     where holder in ('', $1, $4) or expires_at <= clock_timestamp() or ${EXPIRY} = $5`,
    [holder, address, LEADERSHIP_MS, ended, expiresAt ?? null],
  );
  return readLeadership(client);
}

export async function readLeadership(client: Client): Promise<Leadership> {
  const { rows } = await client.query(
    `select epoch, holder, address,
       cast(extract(epoch from greatest(expires_at, 'epoch') - clock_timestamp()) * 1000 as bigint) as "remainingMs",
       ${EXPIRY} as "expiresAt"
     from leadership`,
  );
  return rows[0];
}

/** @returns false if the term has ended */
export async function renew(client: Client, { epoch, holder }: Term, address: string): Promise<boolean> {
  const { rowCount } = await client.query(
    `update leadership set expires_at = clock_timestamp() + ${DURATION}, address = $4 where epoch = $1 and holder = $2`,
    [epoch, holder, LEADERSHIP_MS, address],
  );
  return rowCount === 1;
}

/** Ends a term, so that another coordinator can lead immediately. Does nothing if the term has ended. */
export async function release(client: Client, { epoch, holder }: Term): Promise<void> {
  await client.query("update leadership set holder = '' where epoch = $1 and holder = $2", [epoch, holder]);
}

/**
 * Allows this connection to write. From then on, no earlier connection of the term can write. Waits until the
 * transactions of the earlier connections have ended. PostgreSQL ends a transaction whose coordinator sends nothing for
 * RENEW_INTERVAL_MS, so that a suspended leader does not keep another coordinator from leading.
 * @returns the number of this connection, which each of its transactions must name
 * @throws {NotLeaderError} if the term has ended
 */
export async function becomeWriter(client: Client, { epoch, holder }: Term): Promise<number> {
  await client.query("select set_config('idle_in_transaction_session_timeout', $1, false)", [`${RENEW_INTERVAL_MS}`]);
  const { rows } = await client.query(
    'update leadership set writer = writer + 1 where epoch = $1 and holder = $2 returning writer',
    [epoch, holder],
  );
  if (rows[0] === undefined) throw new NotLeaderError('another coordinator leads');
  return rows[0].writer;
}

export function isNotWriter(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === NOT_WRITER;
}
