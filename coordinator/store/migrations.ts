/** Upgrades the tables of older versions of the store. */
import {
  AGENT_INSTANCES,
  AGENTS_OF_VERSION_10,
  ARTIFACTS,
  DRAINS,
  NOTICES,
  ORIGINS,
  PROGRAMS,
  QUARANTINES,
  RETRIES,
  RUNGS,
  SOURCES,
  SUGGESTIONS,
  TRIAL_SOURCES,
  USERS,
  VERSIONS,
  WARM_STARTS,
  WARNINGS,
} from './added-tables.ts';
import { insertConfigResults } from './config-results.ts';
import {
  AGENT_SUCCESSES,
  CONFIG_RESULTS,
  DROPPED_COUNTS,
  ENDED_TRIALS,
  RANKED_RESULTS,
  SLOT_TIME,
  setValues,
  TRIAL_COUNTS,
} from './derived-tables.ts';

const toReal = (table: string, column: string) => `
alter table ${table} add column step real not null default 0;
update ${table} set step = ${column};
alter table ${table} drop column ${column};
alter table ${table} rename column step to ${column};
`;

/** Version 3 stored the end of the grace period in Unix milliseconds. */
const DRAINS_OF_VERSION_3 = DRAINS.replace('grace_left_ms', 'grace_ends_at');

interface Migration {
  /** The tables, columns and indices that the version added, in their present form. A new store has all of them. */
  readonly adds?: string;
  /** The statements that run before `adds`. They run only on older stores. */
  readonly before?: string;
  /** The statements that run after `adds`. They run only on older stores. */
  readonly after?: string;
}

/** The statements that upgrade the store to each version, by version number. */
export const MIGRATIONS: Readonly<Record<number, Migration>> = {
  2: {
    before: `
alter table attempts add column resumed_from integer not null default 0;
update sweeps set policy = json_set(policy, '$.checkpointEvery', 1, '$.reconstructEvery', 4, '$.command', json('[]'));
`,
    adds: ARTIFACTS,
  },
  3: { before: DRAINS_OF_VERSION_3 },
  // Version 3 granted one pack at a time to a slot, so the time of the grant identifies the pack.
  4: {
    before: `
alter table attempts add column pack text not null default '';
update attempts set pack = agent_id || '/' || incarnation || '/' || slot || '/' || granted_at where outcome is null;
alter table drains rename column grace_ends_at to grace_left_ms;
update drains set grace_left_ms = max(0, grace_left_ms - 1000 * cast(strftime('%s', 'now') as integer));
`,
  },
  5: {
    before: `
alter table sweeps add column priority integer not null default 0;
update sweeps set policy =
  json_set(policy, '$.trainer', trainer, '$.resources', json('{"labels":{}}'), '$.weight', 1);
`,
  },
  6: { adds: RETRIES },
  7: {
    before: `
${toReal('trials', 'epoch')}
${toReal('reports', 'epoch')}
${toReal('artifacts', 'epoch')}
${toReal('attempts', 'resumed_from')}
alter table trials add column metric_steps text not null default '{}';
update trials set metric_steps =
  (select json_group_object(metric.key, trials.epoch) from json_each(trials.metrics) as metric);
update sweeps set policy =
  json_set(policy, '$.ranking', json_object('metric', metric, 'goal', goal, 'at', 'last'));
`,
    adds: `${NOTICES}${WARNINGS}`,
  },
  8: {
    adds: `${SOURCES}${PROGRAMS}`,
  },
  9: {
    before: `
alter table sweeps add column resumed_at integer not null default 0;
alter table attempts add column early integer not null default 0;
`,
    adds: QUARANTINES,
  },
  10: { adds: AGENTS_OF_VERSION_10 },
  11: { adds: AGENT_INSTANCES },
  12: { before: 'alter table attempts add column straggler text;' },
  13: {
    before: `
alter table attempts add column speculative integer not null default 0;
alter table attempts add column free integer not null default 0;
update sweeps set policy = json_set(policy, '$.speculate', json('false'));
`,
  },
  14: {
    adds: TRIAL_COUNTS,
    after: `
insert into trial_counts select sweep_id, state, count(*) from trials group by sweep_id, state;
`,
  },
  15: {
    adds: USERS,
    after: `
update sweeps set state_at = coalesce(
  (select max(at) from events where sweep_id = sweeps.id and kind = 'sweep ' || sweeps.state), created_at);
`,
  },
  16: { adds: RUNGS },
  // Versions before 17 created all trials of a sweep when the sweep was submitted, so the planned trials are the stored
  // trials.
  17: {
    adds: TRIAL_SOURCES,
    after: `
update sweeps set planned = (select count(*) from trials where sweep_id = sweeps.id);
`,
  },
  // Replicates that reported their metrics in different orders are not recognized as identical, because the stored
  // texts are compared.
  18: {
    adds: ENDED_TRIALS,
    after: `
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
  },
  // Versions before 19 did not store the GPUs of an attempt, so the migration computes them from the GPUs and the slots
  // of the attempt's agent.
  19: {
    adds: SLOT_TIME,
    after: `
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
  },
  20: {
    adds: RANKED_RESULTS,
    after: `
${setValues("exists (select 1 from sweeps where id = trials.sweep_id and metric <> '')")};
`,
  },
  21: {
    adds: AGENT_SUCCESSES,
    after: `
insert into agent_successes
  select sweep_id, agent_id, count(*) from attempts where outcome in ('succeeded', 'stopped') group by sweep_id, agent_id;
`,
  },
  22: { adds: VERSIONS },
  23: {
    adds: DROPPED_COUNTS,
    after: `
insert into dropped_counts
  select sweep_id, state, count(*) from trials where dropped_in > 0 group by sweep_id, state;
`,
  },
  24: { adds: WARM_STARTS },
  25: { adds: SUGGESTIONS },
  26: { adds: ORIGINS },
  27: { adds: CONFIG_RESULTS, after: `${insertConfigResults('true')};` },
};
