/** Defines the tables and columns that the versions of the store after version 1 added. A new store has all of them. */

export const ARTIFACTS = `
create table artifacts (
  sweep_id integer not null,
  trial_id text not null,
  attempt integer not null,
  name text not null,
  kind text not null,
  epoch real not null,
  size integer not null,
  sha256 text not null,
  seq integer not null,
  at integer not null,
  primary key (sweep_id, trial_id, attempt, name)
) strict, without rowid;
`;

export const DRAINS = `
create table drains (
  agent_id text primary key,
  grace_left_ms integer not null,
  reason text not null
) strict, without rowid;
`;

export const RETRIES = `
create table retries (
  sweep_id integer not null,
  trial_id text not null,
  request_id text not null,
  attempts integer not null,
  at integer not null,
  primary key (sweep_id, trial_id, request_id)
) strict, without rowid;
create index retry_requests on retries (request_id);
`;

export const NOTICES = `
create table notices (
  sweep_id integer not null,
  trial_id text not null,
  attempt integer not null,
  kind text not null,
  message text not null,
  count integer not null,
  seq integer not null,
  at integer not null,
  primary key (sweep_id, trial_id, attempt, kind)
) strict, without rowid;
`;

export const WARNINGS = `
create table warnings (
  sweep_id integer not null,
  kind text not null,
  message text not null,
  count integer not null,
  since integer not null,
  primary key (sweep_id, kind)
) strict, without rowid;
`;

export const SOURCES = `
create table sources (
  sweep_id integer primary key,
  sha256 text not null,
  size integer not null,
  files integer not null,
  git text not null,
  diff text not null
) strict;
`;

export const PROGRAMS = `
create table programs (
  sweep_id integer not null,
  trial_id text not null,
  attempt integer not null,
  command text not null,
  interpreter text not null,
  python text not null,
  environment text not null,
  seq integer not null,
  at integer not null,
  primary key (sweep_id, trial_id, attempt)
) strict, without rowid;
create table environments (sha256 text primary key, packages text not null) strict, without rowid;
`;

export const QUARANTINES = `
create table quarantines (
  agent_id text primary key,
  sweep_ids text not null,
  since integer not null,
  reason text not null,
  failed_probes integer not null
) strict, without rowid;
create index early_failures on attempts (sweep_id, agent_id) where early = 1;
`;

/**
 * Adds the rungs that trials have reached, and the reasons for early stops. `value` is the value that was compared, and
 * `step` is the step of the report with this value.
 */
export const RUNGS = `
create table rungs (
  sweep_id integer not null,
  trial_id text not null,
  rung real not null,
  attempt integer not null,
  step real not null,
  value real not null,
  detail text not null,
  at integer not null,
  primary key (sweep_id, trial_id, rung)
) strict, without rowid;
alter table trials add column stop_reason text not null default '';
`;

export const AGENTS_OF_VERSION_10 = `
create table agents (
  agent_id text primary key,
  host text not null,
  version text not null,
  slots integer not null,
  backend text not null,
  gpus text not null,
  state text not null,
  connected_at integer not null,
  last_heard_at integer not null
) strict, without rowid;
`;

export const AGENT_INSTANCES = `
alter table agents add column instance text not null default '';
alter table agents add column location text not null default '';
`;

/**
 * Adds the users who made changes, and the times of the changes. Also adds the events of agents, which belong to no
 * sweep (`sweep_id` 0).
 */
export const USERS = `
alter table sweeps add column state_by text not null default '';
alter table sweeps add column state_at integer not null default 0;
alter table drains add column by text not null default '';
alter table drains add column since integer not null default 0;
alter table events add column by text not null default '';
alter table events add column agent_id text not null default '';
create index agent_events on events (seq) where sweep_id = 0;
`;

/**
 * Adds the columns that are needed to create further trials of a running sweep. `planned` is the total number of
 * trials, or null if the search has no limit. `searching` is 1 while further trials can be created, and `search` is the
 * state of the trial source.
 */
export const TRIAL_SOURCES = `
alter table sweeps add column planned integer;
alter table sweeps add column searching integer not null default 0;
alter table sweeps add column search text;
`;

/**
 * Adds the versions of sweep files. `sweep_versions` contains the files that newer versions replaced; the current file
 * is in `sweeps`. `dropped_in` is the version that dropped a trial's point, or 0 if the current version has the point.
 */
export const VERSIONS = `
alter table sweeps add column version integer not null default 1;
alter table trials add column dropped_in integer not null default 0;
create table sweep_versions (
  sweep_id integer not null,
  version integer not null,
  file_name text not null,
  text text not null,
  fingerprint text not null,
  replaced_at integer not null,
  primary key (sweep_id, version)
) strict, without rowid;
create index dropped_trials on trials (sweep_id) where dropped_in > 0;
`;

/**
 * Adds the origins of the trials of populations. A trial that has a parent started from one of the parent's
 * checkpoints. The attempt `parent_attempt` of the trial `parent` stored this checkpoint at the epoch `parent_epoch`.
 * `replaces` is the trial that the new trial replaces, and `compared_at` is the rung of the comparison that created the
 * new trial. The text columns are empty for a trial that started from scratch.
 */
export const ORIGINS = `
alter table trials add column parent text not null default '';
alter table trials add column parent_attempt integer not null default 0;
alter table trials add column parent_epoch real not null default 0;
alter table trials add column replaces text not null default '';
alter table trials add column compared_at real not null default 0;
`;

/**
 * Adds the results of earlier sweeps. A search starts with these results, in the order of `place`. `value` is null for
 * a config whose trials failed.
 */
export const WARM_STARTS = `
create table warm_starts (
  sweep_id integer not null,
  place integer not null,
  parameters text not null,
  value real,
  primary key (sweep_id, place)
) strict, without rowid;
`;

/**
 * Adds the suggestions of external samplers, in the order of `number`. `config_id` is null if a rule of the sweep file
 * excludes the point. `choices` are the values that the sampler has chosen, as JSON. `attributes` is text that only the
 * sampler's process interprets.
 */
export const SUGGESTIONS = `
create table suggestions (
  sweep_id integer not null,
  number integer not null,
  config_id text,
  choices text not null,
  attributes text not null,
  primary key (sweep_id, number)
) strict, without rowid;
`;
