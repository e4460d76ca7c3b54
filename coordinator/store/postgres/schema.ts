/** Creates the store's tables in PostgreSQL. The tables and columns are the same as in the SQLite store. */
import type { Client } from 'pg';
import { RejectedError } from '../../../proto/errors.ts';
import { MIGRATIONS } from '../migrations.ts';
import {
  type MovedStore,
  movedError,
  movedStore,
  type UnfinishedMigration,
  unfinishedError,
  unfinishedMigration,
} from '../moved-store.ts';
import { newerSchemaError, SCHEMA_VERSION, TABLES } from '../schema.ts';
import { LEADERSHIP_TABLE } from './leadership.ts';
import type { ColumnTypes } from './transactions.ts';

/** The first of the two numbers of trawl's advisory lock. The second number is a hash of the schema's name. */
const LOCKS = 0x7472_776c;

/** Texts are compared by their bytes, as in SQLite. */
const TYPES: Readonly<Record<string, string>> = {
  integer: 'bigint',
  real: 'double precision',
  text: 'text collate "C"',
};

/** Returns the statements that create the tables and indices of the SQLite store in PostgreSQL. Omits triggers. */
function postgresTables(sqlite: string): string {
  return sqlite
    .replace(/create trigger [\s\S]*?\nend;/g, '')
    .replace(/\) strict(, without rowid)?;/g, ');')
    .replace(/ primary key autoincrement/g, ' primary key')
    .replace(/\b(\w+) (integer|real|text)\b/g, (_, column: string, type: string) => `${column} ${TYPES[type]}`);
}

/**
 * The triggers that update the counts of `derived-tables.ts`. For inserted and deleted rows, a statement-level trigger
 * counts all rows of the statement. For changes of states, a row-level trigger records each change, because PostgreSQL
 * cannot pass the rows of an update to a trigger that is limited to one column. `trawl_add_count_changes` adds the
 * recorded changes to the counts at the end of each transaction. If each change updated a count immediately, the time
 * would grow with the square of the number of changes in the transaction.
 */
const ROUTINES = `
create unlogged table trawl_count_changes (
  dropped boolean not null,
  sweep_id bigint not null,
  state text collate "C" not null,
  n bigint not null
);
create function trawl_add_count_changes() returns void language plpgsql as $$
begin
  with changes as (delete from trawl_count_changes where not dropped returning sweep_id, state, n)
  insert into trial_counts as c (sweep_id, state, n)
    select sweep_id, state, sum(n) from changes group by sweep_id, state
    on conflict (sweep_id, state) do update set n = c.n + excluded.n;
  with changes as (delete from trawl_count_changes where dropped returning sweep_id, state, n)
  insert into dropped_counts as c (sweep_id, state, n)
    select sweep_id, state, sum(n) from changes group by sweep_id, state
    on conflict (sweep_id, state) do update set n = c.n + excluded.n;
end $$;

create function trawl_trials_added() returns trigger language plpgsql as $$
begin
  insert into trial_counts as c (sweep_id, state, n)
    select sweep_id, state, count(*) from added group by sweep_id, state
    on conflict (sweep_id, state) do update set n = c.n + excluded.n;
  return null;
end $$;
create trigger trial_added after insert on trials referencing new table as added
  for each statement execute function trawl_trials_added();

create function trawl_trial_moved() returns trigger language plpgsql as $$
begin
  insert into trawl_count_changes (dropped, sweep_id, state, n)
    values (false, old.sweep_id, old.state, -1), (false, new.sweep_id, new.state, 1);
  return null;
end $$;
create trigger trial_moved after update of state on trials
  for each row when (new.state <> old.state) execute function trawl_trial_moved();

create function trawl_trials_removed() returns trigger language plpgsql as $$
begin
  update trial_counts as c set n = c.n - r.n
    from (select sweep_id, state, count(*) as n from removed group by sweep_id, state) as r
    where c.sweep_id = r.sweep_id and c.state = r.state;
  update dropped_counts as c set n = c.n - r.n
    from (select sweep_id, state, count(*) as n from removed where dropped_in > 0 group by sweep_id, state) as r
    where c.sweep_id = r.sweep_id and c.state = r.state;
  return null;
end $$;
create trigger trial_removed after delete on trials referencing old table as removed
  for each statement execute function trawl_trials_removed();

create function trawl_dropped_trial_changed() returns trigger language plpgsql as $$
begin
  insert into trawl_count_changes (dropped, sweep_id, state, n)
    select true, old.sweep_id, old.state, -1 where old.dropped_in > 0
    union all select true, new.sweep_id, new.state, 1 where new.dropped_in > 0;
  return null;
end $$;
create trigger dropped_trial_changed after update of state, dropped_in on trials
  for each row when ((old.dropped_in > 0 or new.dropped_in > 0)
    and (new.state <> old.state or (new.dropped_in > 0) <> (old.dropped_in > 0)))
  execute function trawl_dropped_trial_changed();

create function trawl_attempt_succeeded() returns trigger language plpgsql as $$
begin
  insert into agent_successes as s (sweep_id, agent_id, n) values (new.sweep_id, new.agent_id, 1)
    on conflict (sweep_id, agent_id) do update set n = s.n + 1;
  return null;
end $$;
create trigger attempt_succeeded after update of outcome on attempts
  for each row when (new.outcome in ('succeeded', 'stopped') and old.outcome is null)
  execute function trawl_attempt_succeeded();

-- Most updates of a trial change no indexed column, and need no new index entries while its page has space.
alter table trials set (fillfactor = 70);
`;

/**
 * Creates the leadership table if the database lacks it. A store of a version without leadership is accepted. From then
 * on, coordinators of that version can no longer write to the store.
 * @throws {RejectedError} if a newer version of trawl wrote the store, or another program created its tables
 */
export function ensureLeadershipTable(client: Client): Promise<void> {
  return changeSchema(client, async () => {
    await storedVersion(client);
    if (!(await exists(client, 'leadership'))) await client.query(LEADERSHIP_TABLE);
  });
}

/**
 * Creates the tables of an empty store, or upgrades the tables of an older version.
 * @param cluster the coordinator's cluster name on NATS, recorded in a new store
 * @param writer the number of the connection (see becomeWriter)
 * @param unfinished the store that `trawl migrate` copies into the new store; undefined without a migration
 * @throws {RejectedError} if the store was moved, if a newer version of trawl wrote it, or if another program created
 * its tables
 */
export function ensurePostgresSchema(
  client: Client,
  cluster: string,
  writer: number,
  unfinished?: UnfinishedMigration,
): Promise<void> {
  return changeSchema(client, async () => {
    await client.query('select trawl_check_writer($1)', [writer]);
    const version = await storedVersion(client);
    if (version !== undefined) {
      checkMarks(await migrationMarks(client));
      return upgrade(client, version);
    }
    await client.query(`${postgresTables(TABLES)}\n${ROUTINES}`);
    await client.query(
      `insert into meta (name, value) values ('cluster', $1), ('schema', $2), ('commits', '0'), ('last event', '0')`,
      [cluster, `${SCHEMA_VERSION}`],
    );
    if (unfinished !== undefined) {
      await client.query("insert into meta (name, value) values ('migration', $1)", [JSON.stringify(unfinished)]);
    }
  });
}

/** The marks that `trawl migrate` leaves in a store. */
export interface MigrationMarks {
  /** The store that is being copied into this one; undefined if this store is complete. */
  readonly unfinished: UnfinishedMigration | undefined;
  /** The location to which this store was moved. Undefined if it was not moved. */
  readonly moved: MovedStore | undefined;
}

/** @param client a connection to a database that has a store */
export async function migrationMarks(client: Client): Promise<MigrationMarks> {
  const { rows } = await client.query("select name, value from meta where name in ('migration', 'moved')");
  const marks = new Map(rows.map(({ name, value }) => [name, JSON.parse(value)]));
  return {
    unfinished: unfinishedMigration.optional().parse(marks.get('migration')),
    moved: movedStore.optional().parse(marks.get('moved')),
  };
}

function checkMarks({ unfinished, moved }: MigrationMarks): void {
  if (unfinished !== undefined) throw unfinishedError('the database', unfinished);
  if (moved !== undefined) throw movedError('the database', moved, UNMOVE);
}

/** Explains how to use a store in PostgreSQL again after `trawl migrate` has moved the store elsewhere. */
export const UNMOVE = `run this SQL in its database: delete from meta where name = 'moved'`;

/** Runs `change` in a transaction. Coordinators that start at the same time run their changes one after the other. */
async function changeSchema(client: Client, change: () => Promise<void>): Promise<void> {
  await client.query('begin');
  try {
    await client.query("select pg_advisory_xact_lock($1, hashtext('schema ' || current_schema()))", [LOCKS]);
    await change();
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => {});
    throw error;
  }
}

async function exists(client: Client, table: string): Promise<boolean> {
  return (await client.query('select to_regclass($1) as found', [table])).rows[0].found !== null;
}

/**
 * Returns the version of the store's tables; undefined if the database has no store.
 * @throws {RejectedError} if a newer version of trawl wrote the store, or another program created its tables
 */
export async function storedVersion(client: Client): Promise<number | undefined> {
  if (!(await exists(client, 'meta'))) return undefined;
  const isOwn = "select to_regproc('trawl_begin_write') is not null as own";
  if ((await client.query(isOwn)).rows[0].own === 0) {
    throw new RejectedError('the database has a table "meta" that trawl did not create: use an empty database');
  }
  const { rows } = await client.query("select value from meta where name = 'schema'");
  const version = Number(rows[0]?.value);
  if (version > SCHEMA_VERSION) throw newerSchemaError(version);
  return version;
}

/** Upgrades the tables of an older version. Migrations since version 26 are valid in SQLite and in PostgreSQL. */
async function upgrade(client: Client, version: number): Promise<void> {
  for (let to = version + 1; to <= SCHEMA_VERSION; to++) {
    const { before = '', adds = '', after = '' } = MIGRATIONS[to] ?? {};
    await client.query(postgresTables(`${before}\n${adds}\n${after}`));
  }
  await client.query("update meta set value = $1 where name = 'schema' and value <> $1", [`${SCHEMA_VERSION}`]);
}

/** Returns the columns of the store's tables, with their types. */
export async function columnTypes(client: Client): Promise<ColumnTypes> {
  const { rows } = await client.query(
    `select cast(table_name as text) as "table", cast(column_name as text) as "column", cast(data_type as text) as type
     from information_schema.columns where table_schema = current_schema()`,
  );
  const tables = new Map<string, Map<string, string>>();
  for (const { table, column, type } of rows) {
    tables.set(table, (tables.get(table) ?? new Map()).set(column, type));
  }
  return tables;
}
