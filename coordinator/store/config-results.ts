/**
 * Keeps the result of each config of a sweep with replicates: the mean over the replicates that count (`countedResults`
 * in lib/domain/trial-result.ts). With these results, the best configs of a large sweep are found without reading its
 * trials.
 */
import { PATIENCE } from '../../lib/domain/trial-result.ts';
import type { SweepPolicies } from './sweep-policies.ts';
import type { Steps, WriteSql } from './write-sql.ts';

const IS_COMPLETE = `case when state = 'stopped' and stop_reason not like '${PATIENCE}%' then 0 else 1 end`;

/**
 * The reported value. A very large magnitude is reduced to a bound, and a very small magnitude becomes 0. Otherwise, a
 * transaction could fail because of a reported value: PostgreSQL rejects a sum or a quotient that is too large or too
 * small for a number.
 */
const BOUNDED = `case when value > 1e290 then 1e290 when value < -1e290 then -1e290
  when abs(value) < 1e-290 then 0 else value end`;

const COLUMNS = '(sweep_id, config_id, idx, complete, epoch, n, value)';

/**
 * `+ 0` keeps databases from using the index on `idx`. With the index, they would read the sweep's trials in order
 * until they find the config.
 */
const firstIndex = (table: string) =>
  `(select min(first.idx + 0) from trials as first
    where first.sweep_id = ${table}.sweep_id and first.config_id = ${table}.config_id)`;

/**
 * Returns the statement that computes the results of configs from all of their trials. The table must not contain a
 * result of these configs yet.
 * @param condition selects sweeps
 */
export function insertConfigResults(condition: string): string {
  return `insert into config_results ${COLUMNS}
    select sweep_id, config_id, ${firstIndex('counted')}, max(complete), max(epoch), count(value),
      case when min(value) = max(value) then min(value) else sum(value) / count(value) end
    from (
      select sweep_id, config_id, complete, epoch, value,
        rank() over (partition by sweep_id, config_id order by complete desc, epoch desc) as place
      from (
        select sweep_id, config_id, complete, case when complete = 1 then 0 else epoch end as epoch, value
        from (
          select sweep_id, config_id, ${IS_COMPLETE} as complete, epoch, ${BOUNDED} as value from trials
          where state in ('succeeded', 'stopped') and dropped_in = 0
            and sweep_id in (select id from sweeps where replicates > 1 and ${condition})
        ) as results
      ) as lengths
    ) as counted
    where place = 1 group by sweep_id, config_id`;
}

/**
 * Adds the result of a trial to its config. Results are compared by length. A complete result is longer than a result
 * that was cut off. Of two results that were cut off, the one with the later epoch is longer. If the new result is
 * longer than the earlier results of the config, it replaces them. If it is shorter, it is ignored. If it has the same
 * length, it is added to the mean. The mean of equal values is exactly that value.
 */
const ADD_RESULT = `insert into config_results as c ${COLUMNS}
  select sweep_id, config_id,
    case when exists (select 1 from config_results as known
      where known.sweep_id = result.sweep_id and known.config_id = result.config_id)
    then 0 else ${firstIndex('result')} end,
    complete, case when complete = 1 then 0 else epoch end, case when value is null then 0 else 1 end, value
  from (
    select sweep_id, config_id, ${IS_COMPLETE} as complete, epoch, ${BOUNDED} as value
    from trials where sweep_id = ? and id = ? and dropped_in = 0
  ) as result
  where true
  on conflict (sweep_id, config_id) do update set
    complete = case when (excluded.complete, excluded.epoch) > (c.complete, c.epoch) then excluded.complete else c.complete end,
    epoch = case when (excluded.complete, excluded.epoch) > (c.complete, c.epoch) then excluded.epoch else c.epoch end,
    n = case when (excluded.complete, excluded.epoch) > (c.complete, c.epoch) then excluded.n
      when (excluded.complete, excluded.epoch) < (c.complete, c.epoch) then c.n else c.n + excluded.n end,
    value = case when (excluded.complete, excluded.epoch) > (c.complete, c.epoch) then excluded.value
      when (excluded.complete, excluded.epoch) < (c.complete, c.epoch) or excluded.n = 0 then c.value
      when c.n = 0 then excluded.value else c.value + (excluded.value - c.value) / (c.n + 1) end`;

export interface ConfigResults {
  /** Adds the result of a trial that has just succeeded or stopped. */
  add(trial: { readonly sweepId: string; readonly trialId: string }): Steps;
  /** Computes the results of a sweep's configs again. Must be called when the set of ranked trials has changed. */
  rebuild(sweepId: string): void;
}

export function configResultWriter(sql: WriteSql, policies: SweepPolicies): ConfigResults {
  const addResult = sql.change(ADD_RESULT);
  const remove = sql.change('delete from config_results where sweep_id = ?');
  const insert = sql.change(insertConfigResults('id = ?'));
  return {
    *add({ sweepId, trialId }) {
      if (!policies.isKnown(sweepId)) yield* policies.read(sweepId);
      if ((policies.of(sweepId)?.replicates ?? 1) > 1) addResult(sweepId, trialId);
    },
    rebuild(sweepId) {
      remove(sweepId);
      insert(sweepId);
    },
  };
}
