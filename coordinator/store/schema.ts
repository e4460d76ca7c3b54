/** Defines the store's tables and their version, and upgrades older versions. */
import type { Database } from 'libsql';
import { RejectedError } from '../../proto/errors.ts';

export const SCHEMA_VERSION = 24;

const ARTIFACTS = `
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

const DRAINS = `
create table drains (
  agent_id text primary key,
  grace_left_ms integer not null,
  reason text not null
) strict, without rowid;
`;

const RETRIES = `
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

const NOTICES = `
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

const WARNINGS = `
create table warnings (
  sweep_id integer not null,
  kind text not null,
  message text not null,
  count integer not null,
  since integer not null,
  primary key (sweep_id, kind)
) strict, without rowid;
`;

const SOURCES = `
create table sources (
  sweep_id integer primary key,
  sha256 text not null,
  size integer not null,
  files integer not null,
  git text not null,
  diff text not null
) strict;
`;

const PROGRAMS = `
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

const QUARANTINES = `
create table quarantines (
  agent_id text primary key,
  sweep_ids text not null,
  since integer not null,
  reason text not null,
  failed_probes integer not null
) strict, without rowid;
create index early_failures on attempts (sweep_id, agent_id) where early = 1;
`;

/** `value` is the value that was compared, and `step` the step of its report. */
const RUNGS = `
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

const AGENTS_OF_VERSION_10 = `
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

const AGENT_INSTANCES = `
alter table agents add column instance text not null default '';
alter table agents add column location text not null default '';
`;

/** Keeps the number of a sweep's trials in each state, because counting the rows of a large sweep takes too long per call. */
const TRIAL_COUNTS = `
create table trial_counts (
  sweep_id integer not null,
  state text not null,
  n integer not null,
  primary key (sweep_id, state)
) strict, without rowid;
create trigger trial_added after insert on trials begin
  insert into trial_counts values (new.sweep_id, new.state, 1) on conflict do update set n = n + 1;
end;
create trigger trial_moved after update of state on trials when new.state <> old.state begin
  update trial_counts set n = n - 1 where sweep_id = old.sweep_id and state = old.state;
  insert into trial_counts values (new.sweep_id, new.state, 1) on conflict do update set n = n + 1;
end;
create trigger trial_removed after delete on trials begin
  update trial_counts set n = n - 1 where sweep_id = old.sweep_id and state = old.state;
end;
create index trials_by_index on trials (sweep_id, idx);
`;

/**
 * Adds the users who changed something, the times of the changes, and the events of agents. Events of agents belong to
 * no sweep (`sweep_id` 0).
 */
const USERS = `
alter table sweeps add column state_by text not null default '';
alter table sweeps add column state_at integer not null default 0;
alter table drains add column by text not null default '';
alter table drains add column since integer not null default 0;
alter table events add column by text not null default '';
alter table events add column agent_id text not null default '';
create index agent_events on events (seq) where sweep_id = 0;
`;

/**
 * Adds the creation of trials while a sweep runs. `planned` is the total number of trials, or null if the search has no
 * limit. `searching` is 1 while further trials can be created, and `search` is the state of their source.
 */
const TRIAL_SOURCES = `
alter table sweeps add column planned integer;
alter table sweeps add column searching integer not null default 0;
alter table sweeps add column search text;
`;

/**
 * Adds the indices and the facts with which a start reads only the live trials of a sweep. `reported` is the list of
 * the metrics that trials have reported, and `lacking` the number of results without the ranking metric.
 */
const ENDED_TRIALS = `
alter table sweeps add column reported text not null default '[]';
alter table sweeps add column lacking integer not null default 0;
create table identical_configs (
  sweep_id integer not null,
  config_id text not null,
  replicates integer not null,
  primary key (sweep_id, config_id)
) strict, without rowid;
create index trials_by_state on trials (sweep_id, state);
create index trials_by_config on trials (sweep_id, config_id);
create index ended_attempts on attempts (sweep_id, ended_at, outcome, agent_id) where outcome is not null;
drop index early_failures;
create index early_failures on attempts (sweep_id, agent_id) where early > 0;
`;

/**
 * Adds the time for which attempts held slots, the GPUs of these slots, and the user who submitted a sweep. The columns of
 * a sweep count only packs whose attempts have all ended.
 */
const SLOT_TIME = `
alter table sweeps add column slot_ms real not null default 0;
alter table sweeps add column gpu_ms real not null default 0;
alter table sweeps add column submitted_by text not null default '';
alter table trials add column leased_ms real not null default 0;
alter table attempts add column gpus real not null default 0;
`;

/**
 * Adds the value of each result: the sweep's metric, if it is finite. Trials without a result have no value. The indices
 * find the best trials and configs of a large sweep without reading the others.
 */
const RANKED_RESULTS = `
alter table trials add column value real;
create index trials_by_value on trials (sweep_id, value, idx) where value is not null;
drop index trials_by_config;
create index trials_by_config on trials (sweep_id, config_id, value, idx);
`;

/** Keeps the number of a sweep's successes on each agent, because a start must not count all attempts of a large sweep. */
const AGENT_SUCCESSES = `
create table agent_successes (
  sweep_id integer not null,
  agent_id text not null,
  n integer not null,
  primary key (sweep_id, agent_id)
) strict, without rowid;
create trigger attempt_succeeded after update of outcome on attempts
when new.outcome in ('succeeded', 'stopped') and old.outcome is null begin
  insert into agent_successes values (new.sweep_id, new.agent_id, 1) on conflict do update set n = n + 1;
end;
create index straggling_attempts on attempts (sweep_id, ended_at) where straggler is not null;
`;

/** The SQL that sets the values of those trials with a result that match a condition. */
export function setValues(condition: string): string {
  return `update trials set value = (
      select metric.value from json_each(trials.metrics) as metric
      where metric.key = (select metric from sweeps where id = trials.sweep_id)
        and metric.type in ('integer', 'real') and abs(metric.value) < 9e999)
    where state in ('succeeded', 'stopped') and ${condition}`;
}

/**
 * Adds versions of sweep files. `sweep_versions` has the files that newer versions replaced; the current file is in
 * `sweeps`. `dropped_in` is the version that dropped a trial's point, or 0 if the current version has the point.
 */
const VERSIONS = `
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
 * Keeps the number of a sweep's dropped trials in each state. `trial_counts` includes these trials, and
 * `dropped_counts` is subtracted from it wherever a sweep is shown.
 */
const DROPPED_COUNTS = `
create table dropped_counts (
  sweep_id integer not null,
  state text not null,
  n integer not null,
  primary key (sweep_id, state)
) strict, without rowid;
create trigger dropped_trial_changed after update of state, dropped_in on trials
  when (old.dropped_in > 0 or new.dropped_in > 0)
    and (new.state <> old.state or (new.dropped_in > 0) <> (old.dropped_in > 0)) begin
  update dropped_counts set n = n - 1 where old.dropped_in > 0 and sweep_id = old.sweep_id and state = old.state;
  insert into dropped_counts select new.sweep_id, new.state, 1 where new.dropped_in > 0
    on conflict do update set n = n + 1;
end;
create trigger dropped_trial_removed after delete on trials when old.dropped_in > 0 begin
  update dropped_counts set n = n - 1 where sweep_id = old.sweep_id and state = old.state;
end;
`;

/**
 * Adds the results of earlier sweeps with which searches start, in the order of `place`. `value` is null for a config
 * whose trials failed.
 */
const WARM_STARTS = `
create table warm_starts (
  sweep_id integer not null,
  place integer not null,
  parameters text not null,
  value real,
  primary key (sweep_id, place)
) strict, without rowid;
`;

const toReal = (table: string, column: string) => `
alter table ${table} add column step real not null default 0;
update ${table} set step = ${column};
alter table ${table} drop column ${column};
alter table ${table} rename column step to ${column};
`;

/** Version 3 stored the end of the grace period in Unix milliseconds. */
const DRAINS_OF_VERSION_3 = DRAINS.replace('grace_left_ms', 'grace_ends_at');

const TABLES = `
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

${ARTIFACTS}
${DRAINS}
${RETRIES}
${NOTICES}
${WARNINGS}
${SOURCES}
${PROGRAMS}
${QUARANTINES}
${AGENTS_OF_VERSION_10}
${AGENT_INSTANCES}
${TRIAL_COUNTS}
${USERS}
${RUNGS}
${TRIAL_SOURCES}
${ENDED_TRIALS}
${SLOT_TIME}
${RANKED_RESULTS}
${AGENT_SUCCESSES}
${VERSIONS}
${DROPPED_COUNTS}
${WARM_STARTS}
`;

const MIGRATIONS: Readonly<Record<number, string>> = {
  2: `
alter table attempts add column resumed_from integer not null default 0;
update sweeps set policy = json_set(policy, '$.checkpointEvery', 1, '$.reconstructEvery', 4, '$.command', json('[]'));
${ARTIFACTS}
`,
  3: DRAINS_OF_VERSION_3,
  // Version 3 granted one pack at a time to a slot, so the time of the grant identifies the pack.
  4: `
alter table attempts add column pack text not null default '';
update attempts set pack = agent_id || '/' || incarnation || '/' || slot || '/' || granted_at where outcome is null;
alter table drains rename column grace_ends_at to grace_left_ms;
update drains set grace_left_ms = max(0, grace_left_ms - 1000 * cast(strftime('%s', 'now') as integer));
`,
  5: `
alter table sweeps add column priority integer not null default 0;
update sweeps set policy =
  json_set(policy, '$.trainer', trainer, '$.resources', json('{"labels":{}}'), '$.weight', 1);
`,
  6: RETRIES,
  7: `
${toReal('trials', 'epoch')}
${toReal('reports', 'epoch')}
${toReal('artifacts', 'epoch')}
${toReal('attempts', 'resumed_from')}
alter table trials add column metric_steps text not null default '{}';
update trials set metric_steps =
  (select json_group_object(metric.key, trials.epoch) from json_each(trials.metrics) as metric);
update sweeps set policy =
  json_set(policy, '$.ranking', json_object('metric', metric, 'goal', goal, 'at', 'last'));
${NOTICES}
${WARNINGS}
`,
  8: `${SOURCES}${PROGRAMS}`,
  9: `
alter table sweeps add column resumed_at integer not null default 0;
alter table attempts add column early integer not null default 0;
${QUARANTINES}
`,
  10: AGENTS_OF_VERSION_10,
  11: AGENT_INSTANCES,
  12: 'alter table attempts add column straggler text;',
  13: `
alter table attempts add column speculative integer not null default 0;
alter table attempts add column free integer not null default 0;
update sweeps set policy = json_set(policy, '$.speculate', json('false'));
`,
  14: `
${TRIAL_COUNTS}
insert into trial_counts select sweep_id, state, count(*) from trials group by sweep_id, state;
`,
  15: `
${USERS}
update sweeps set state_at = coalesce(
  (select max(at) from events where sweep_id = sweeps.id and kind = 'sweep ' || sweeps.state), created_at);
`,
  16: RUNGS,
  // Versions before 17 created all trials of a sweep when the sweep was submitted.
  17: `
${TRIAL_SOURCES}
update sweeps set planned = (select count(*) from trials where sweep_id = sweeps.id);
`,
  // Replicates that reported their metrics in different orders are not found to be identical.
  18: `
${ENDED_TRIALS}
update sweeps set
  reported = (
    select json_group_array(distinct metric.key) from trials, json_each(trials.metrics) as metric
    where trials.sweep_id = sweeps.id),
  lacking = (
    select count(*) from trials
    where trials.sweep_id = sweeps.id and sweeps.metric <> '' and trials.state in ('succeeded', 'stopped')
      and not exists (select 1 from json_each(trials.metrics) as metric where metric.key = sweeps.metric))
where trainer = 'command';
insert into identical_configs
  select t.sweep_id, t.config_id, sum(t.state in ('succeeded', 'stopped'))
  from trials as t join sweeps as s on s.id = t.sweep_id where s.trainer = 'command'
  group by t.sweep_id, t.config_id
  having sum(t.state in ('pending', 'offered', 'running')) = 0 and sum(t.state in ('succeeded', 'stopped')) >= 2
    and count(distinct case when t.state in ('succeeded', 'stopped') then t.metrics end) = 1
    and max(case when t.state in ('succeeded', 'stopped') then t.metrics end) glob '*:[0-9-]*';
`,
  // Versions before 19 did not store the GPUs of an attempt, so those of its agent count.
  19: `
${SLOT_TIME}
update attempts set gpus = coalesce(
  (select case when json_array_length(gpus) < slots then 1.0 * json_array_length(gpus) / slots
               else json_array_length(gpus) / slots end
   from agents where agents.agent_id = attempts.agent_id and slots > 0), 0);
update trials set leased_ms = coalesce(
  (select sum(max(0, ended_at - granted_at)) from attempts
   where sweep_id = trials.sweep_id and trial_id = trials.id and outcome is not null), 0);
update sweeps set (slot_ms, gpu_ms) =
  (select coalesce(sum(ms), 0), coalesce(sum(ms * gpus), 0) from
    (select max(0, max(ended_at) - min(granted_at)) as ms, max(gpus) as gpus from attempts where sweep_id = sweeps.id
     group by iif(pack = '', trial_id || '/' || number, pack) having sum(outcome is null) = 0));
`,
  20: `
${RANKED_RESULTS}
${setValues("exists (select 1 from sweeps where id = trials.sweep_id and metric <> '')")};
`,
  21: `
${AGENT_SUCCESSES}
insert into agent_successes
  select sweep_id, agent_id, count(*) from attempts where outcome in ('succeeded', 'stopped') group by sweep_id, agent_id;
`,
  22: VERSIONS,
  23: `
${DROPPED_COUNTS}
insert into dropped_counts
  select sweep_id, state, count(*) from trials where dropped_in > 0 group by sweep_id, state;
`,
  24: WARM_STARTS,
};

/**
 * Creates the tables of an empty store, and upgrades the tables of an older version.
 * @param cluster the name of a new store's coordinator on NATS
 * @param beforeUpgrade called with the version of an older store before anything is changed
 * @throws {RejectedError} when a newer trawl wrote the store
 */
export function ensureSchema(db: Database, cluster: string, beforeUpgrade: (version: number) => void): void {
  const { user_version: version } = db.prepare('pragma user_version').get() as { user_version: number };
  if (version > SCHEMA_VERSION) {
    throw new RejectedError(
      `the store has schema ${version}, but this trawl supports up to ${SCHEMA_VERSION}: use the trawl that wrote it, or a newer one`,
    );
  }
  if (version === SCHEMA_VERSION) return;
  if (version > 0) beforeUpgrade(version);
  db.transaction(() => {
    if (version === 0) {
      db.exec(TABLES);
      db.prepare('insert into meta (name, value) values (?, ?)').run('cluster', cluster);
    } else {
      for (let to = version + 1; to <= SCHEMA_VERSION; to++) db.exec(MIGRATIONS[to] ?? '');
    }
    db.exec(`pragma user_version = ${SCHEMA_VERSION}`);
  })();
}
