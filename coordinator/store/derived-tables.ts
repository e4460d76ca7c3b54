/**
 * Defines stored counts, sums, values and indices. With them, a query about a large sweep need not read all rows of the
 * sweep.
 */

/**
 * Keeps the number of a sweep's trials in each state, because counting the rows of a large sweep for each call
 * would take too long.
 */
export const TRIAL_COUNTS = `
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
 * Adds indices and columns, so that a starting coordinator reads only the live trials of a sweep. `reported` lists
 * the metrics that trials have reported, and `lacking` is the number of results without the ranking metric.
 */
export const ENDED_TRIALS = `
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
 * Adds the time for which attempts held slots, the number of GPUs of these slots, and the user who submitted a sweep.
 * The sums in `sweeps` include a pack only after all of its attempts have ended.
 */
export const SLOT_TIME = `
alter table sweeps add column slot_ms real not null default 0;
alter table sweeps add column gpu_ms real not null default 0;
alter table sweeps add column submitted_by text not null default '';
alter table trials add column leased_ms real not null default 0;
alter table attempts add column gpus real not null default 0;
`;

/**
 * Adds the value of each result: the value of the sweep's metric, if it is finite. Trials without a result have no
 * value. With the indices, the best trials and configs of a large sweep are found without reading the other trials.
 */
export const RANKED_RESULTS = `
alter table trials add column value real;
create index trials_by_value on trials (sweep_id, value, idx) where value is not null;
drop index trials_by_config;
create index trials_by_config on trials (sweep_id, config_id, value, idx);
`;

/**
 * Keeps the number of a sweep's successes on each agent, so that a starting coordinator need not count all attempts of
 * a large sweep.
 */
export const AGENT_SUCCESSES = `
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

/**
 * Keeps the number of a sweep's dropped trials in each state. `trial_counts` includes these trials, and
 * `dropped_counts` is subtracted from `trial_counts` wherever a sweep is shown.
 */
export const DROPPED_COUNTS = `
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
 * Keeps the results of the configs of sweeps with replicates (config-results.ts). `idx` is the index of the config's
 * first trial. `complete` is 1 if the results that count are complete; otherwise, `epoch` is the epoch at which they
 * were cut off. `n` is the number of the results that count and have a value, and `value` is the mean of these values.
 */
export const CONFIG_RESULTS = `
create table config_results (
  sweep_id integer not null,
  config_id text not null,
  idx integer not null,
  complete integer not null,
  epoch real not null,
  n integer not null,
  value real,
  primary key (sweep_id, config_id)
) strict, without rowid;
create index configs_by_value on config_results (sweep_id, value, idx) where value is not null;
`;

/** The SQL expression for the value of the sweep's metric in a trial. Only for statements that change `trials`. */
export const METRIC_VALUE = `(
      select metric.value from json_each(trials.metrics) as metric
      where metric.key = (select metric from sweeps where id = trials.sweep_id)
        and metric.type in ('integer', 'real') and abs(metric.value) < 9e999)`;

/** Returns the SQL that sets the column `value` of the trials that have a result and match a condition. */
export function setValues(condition: string): string {
  return `update trials set value = ${METRIC_VALUE}
    where state in ('succeeded', 'stopped') and ${condition}`;
}
