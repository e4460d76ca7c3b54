/**
 * Defines the tables of the first version of the store. The tables also have the columns that the `before` statements
 * of migrations.ts add to older stores.
 */

export const BASE_TABLES = `
create table meta (name text primary key, value text not null) strict;

create table sweeps (
  id integer primary key,
  request_id text not null unique,
  name text not null,
  fingerprint text not null,
  file_name text not null,
  text text not null,
  trainer text not null,
  metric text not null,
  goal text not null,
  axes text not null,
  policy text not null,
  configs integer not null,
  replicates integer not null,
  excluded integer not null,
  state text not null,
  reason text not null,
  created_at integer not null,
  ended_at integer not null default 0,
  priority integer not null default 0,
  resumed_at integer not null default 0
) strict;

create table trials (
  sweep_id integer not null,
  id text not null,
  idx integer not null,
  config_id text not null,
  seed integer not null,
  parameters text not null,
  state text not null default 'pending',
  attempts integer not null default 0,
  agent_id text not null default '',
  backend text not null default '',
  failure_class text,
  failure_message text,
  epoch real not null default 0,
  metrics text not null default '{}',
  metric_steps text not null default '{}',
  started_at integer not null default 0,
  ended_at integer not null default 0,
  primary key (sweep_id, id)
) strict, without rowid;

create table attempts (
  sweep_id integer not null,
  trial_id text not null,
  number integer not null,
  agent_id text not null,
  incarnation text not null,
  slot integer not null,
  backend text not null,
  granted_at integer not null,
  ended_at integer not null default 0,
  outcome text,
  failure_class text,
  failure_message text,
  resumed_from real not null default 0,
  pack text not null default '',
  early integer not null default 0,
  straggler text,
  speculative integer not null default 0,
  free integer not null default 0,
  primary key (sweep_id, trial_id, number)
) strict, without rowid;
create index running_attempts on attempts (sweep_id, trial_id) where outcome is null;

create table reports (
  sweep_id integer not null,
  trial_id text not null,
  attempt integer not null,
  seq integer not null,
  at integer not null,
  epoch real not null,
  metrics text not null,
  primary key (sweep_id, trial_id, attempt, seq)
) strict, without rowid;

create table logs (
  sweep_id integer not null,
  trial_id text not null,
  attempt integer not null,
  seq integer not null,
  at integer not null,
  text text not null,
  primary key (sweep_id, trial_id, attempt, seq)
) strict, without rowid;

create table events (
  seq integer primary key autoincrement,
  at integer not null,
  sweep_id integer not null,
  trial_id text not null,
  attempt integer not null,
  kind text not null,
  detail text not null
) strict;
`;
