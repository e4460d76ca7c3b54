/**
 * Writes changes as rows of the store. Each group of tables has its own functions, which must be called inside a
 * transaction.
 */

import type { UsedSlotTime } from '../core/slot-time.ts';
import type { Change } from '../core/step.ts';
import { createdConfigs } from '../search/trial-source.ts';
import { configResultWriter } from './config-results.ts';
import { sweepPolicies } from './sweep-policies.ts';
import { agentWriter, drainWriter, quarantineWriter } from './write-agents.ts';
import {
  type AddAgentEvent,
  type AddEvent,
  AGENT_EVENTS,
  type ChangeOf,
  eventWriter,
  type TransactionResult,
} from './write-events.ts';
import { type Steps, upsert, type WriteSql } from './write-sql.ts';
import {
  artifactWriter,
  attemptWriter,
  NO_PROGRESS,
  noticeWriter,
  programWriter,
  rungWriter,
  trialWriter,
  valuesReader,
} from './write-trials.ts';
import { versionWriter } from './write-versions.ts';

export interface ChangeSteps {
  /**
   * Writes one change. `at` is the time of the change, and `by` is the user who made it, or empty. If the write reads
   * rows, returns the remaining steps, which must be run before the next change is written.
   */
  write(change: Change, at: number, written: TransactionResult, by: string): Steps | undefined;
  /**
   * Writes what was gathered from several changes, such as the slot time of a sweep. Must be called at the end of each
   * transaction.
   */
  finish(): void;
}

/** Prepares each statement once. Must be called again after a transaction that failed. */
export function changeSteps(sql: WriteSql): ChangeSteps {
  const insertEvent = eventWriter(sql);
  const artifacts = artifactWriter(sql);
  const policies = sweepPolicies(sql);
  const trials = trialWriter(sql, policies, valuesReader(sql, policies));
  const configResults = configResultWriter(sql, policies);
  const attempts = attemptWriter(sql, policies, configResults);
  const writeVersion = versionWriter(sql, policies, configResults);
  const sweeps = sweepWriter(sql);
  const writeDrain = drainWriter(sql);
  const writeAgent = agentWriter(sql);
  const writeQuarantine = quarantineWriter(sql);
  const rungs = rungWriter(sql);
  const writeNotice = noticeWriter(sql);
  const writeProgram = programWriter(sql);
  const warnings = warningWriter(sql);
  const writeSuggestion = suggestionWriter(sql);
  const write: ChangeSteps['write'] = (change, at, written, by) => {
    const addEvent: AddEvent = (sweepId, trialId, attempt, kind, detail) =>
      written.events.push(insertEvent({ at, sweepId, trialId, attempt, kind, detail, by, agentId: '' }));
    const addAgentEvent: AddAgentEvent = (agentId, kind, detail) =>
      written.events.push(
        insertEvent({ at, sweepId: AGENT_EVENTS, trialId: '', attempt: 0, kind, detail, by, agentId }),
      );
    switch (change.kind) {
      case 'created':
        sweeps.search({ ...change, done: false });
        trials.create(change, addEvent);
        break;
      case 'suggested':
        writeSuggestion(change);
        break;
      case 'inherited':
        trials.inherit(change, addEvent);
        artifacts.inherit(change, at);
        sweeps.plan(change);
        break;
      case 'searched':
        sweeps.search(change);
        break;
      case 'trial':
        trials.move(change, at, addEvent);
        if (change.state !== 'succeeded' && change.state !== 'stopped') break;
        if (change.hasCheckpoint !== false) artifacts.dropCheckpoints(change, written.dropped);
        return configResults.add(change);
      case 'retried':
        if (change.resumesFrom === 0) artifacts.dropCheckpoints(change, written.dropped);
        return trials.retry(change, at, addEvent);
      case 'granted':
        attempts.grant(change, at, addEvent);
        if (change.speculative) trials.grantSpeculative(change);
        else if (change.resumedFrom > 0) return trials.grantResumed(change, at);
        else trials.grant(change, at, NO_PROGRESS);
        break;
      case 'promoted':
        attempts.promote(change);
        return trials.promote(change);
      case 'ended':
        attempts.end(change, at, addEvent);
        trials.addLeased(change.key, change.leasedMs);
        if (change.used !== undefined) sweeps.addUsed(change.key.sweepId, change.used);
        break;
      case 'straggler':
        attempts.markStraggler(change, addEvent);
        break;
      case 'cleared':
        attempts.clear(change);
        break;
      case 'report':
        return attempts.report(change, addEvent);
      case 'rung':
        rungs.enter(change, addEvent);
        break;
      case 'advanced':
        rungs.advance(change, addEvent);
        break;
      case 'log':
        attempts.log(change);
        break;
      case 'program':
        writeProgram(change);
        break;
      case 'notice':
        writeNotice(change);
        break;
      case 'warning':
        warnings.show(change, addEvent);
        break;
      case 'facts':
        warnings.facts(change);
        break;
      case 'identical':
        warnings.identical(change);
        break;
      case 'artifact':
        artifacts.insert(change, written.dropped);
        break;
      case 'agent':
        writeAgent(change, addAgentEvent);
        break;
      case 'drain':
        writeDrain(change, addAgentEvent);
        break;
      case 'quarantine':
        writeQuarantine(change, addEvent, addAgentEvent);
        break;
      case 'sweep':
        sweeps.move(change, at, by, addEvent);
        break;
      case 'applied':
        sweeps.finish();
        return writeVersion(change, at, addEvent);
      case 'priority':
        sweeps.prioritize(change, addEvent);
        break;
    }
    return undefined;
  };
  const finish = () => {
    trials.finish();
    sweeps.finish();
  };
  return { write, finish };
}

type Searched = Pick<ChangeOf<'searched'>, 'sweepId' | 'state' | 'done'>;

function sweepWriter(sql: WriteSql) {
  const move = sql.change(
    `update sweeps set state = ?1, reason = coalesce(?2, reason),
       ended_at = case when ?1 in ('finished', 'stopped', 'killed') then cast(?3 as bigint) else 0 end,
       resumed_at = case when ?1 = 'running' then cast(?3 as bigint) else resumed_at end, state_at = ?3, state_by = ?5,
       searching = case when ?1 in ('running', 'paused') then searching else 0 end
     where id = ?4`,
  );
  const search = sql.change(
    `update sweeps set search = ?1, searching = cast(?2 as bigint),
       planned = case when cast(?2 as bigint) = 1 then planned else cast(?3 as bigint) end,
       configs = case when cast(?2 as bigint) = 1 or cast(?5 as bigint) = 1 then configs else cast(?4 as bigint) end
     where id = ?6`,
  );
  const addPlanned = sql.change('update sweeps set planned = planned + 1, configs = configs + 1 where id = ?');
  const prioritize = sql.change('update sweeps set priority = ? where id = ?');
  const addUsed = sql.change('update sweeps set slot_ms = slot_ms + ?, gpu_ms = gpu_ms + ? where id = ?');
  // A transaction can create many trials of a sweep and end many attempts. The row of a sweep contains the sweep file,
  // so each update of the row is expensive. The row is therefore updated once per transaction.
  const searched = new Map<string, Searched>();
  const used = new Map<string, UsedSlotTime>();
  const finish = () => {
    for (const [sweepId, { state, done }] of searched) {
      search(JSON.stringify(state), done ? 0 : 1, state.created, createdConfigs(state), state.merges ? 1 : 0, sweepId);
    }
    for (const [sweepId, { slotMs, gpuMs }] of used) addUsed(slotMs, gpuMs, sweepId);
    searched.clear();
    used.clear();
  };
  return {
    /** Keeps the state of a sweep's source of trials until `finish` stores it. */
    search({ sweepId, state, done }: Searched): void {
      searched.set(sweepId, { sweepId, state, done });
    },
    /** Gathers the slot time of a sweep until `finish` stores it. */
    addUsed(sweepId: string, { slotMs, gpuMs }: UsedSlotTime): void {
      const earlier = used.get(sweepId);
      used.set(sweepId, { slotMs: slotMs + (earlier?.slotMs ?? 0), gpuMs: gpuMs + (earlier?.gpuMs ?? 0) });
    },
    /**
     * Must be called at the end of each transaction, and before another statement writes the state of a sweep's source
     * or the planned number of its trials.
     */
    finish,
    /**
     * Increases the planned number of trials by one, because the number includes the children of a population only
     * after they have been created.
     */
    plan({ sweepId }: ChangeOf<'inherited'>): void {
      finish();
      addPlanned(sweepId);
    },
    move({ sweepId, state, reason }: ChangeOf<'sweep'>, at: number, by: string, addEvent: AddEvent): void {
      finish();
      move(state, reason ?? null, at, sweepId, by);
      addEvent(sweepId, '', 0, `sweep ${state}`, reason ?? '');
    },
    prioritize({ sweepId, priority, before }: ChangeOf<'priority'>, addEvent: AddEvent): void {
      prioritize(priority, sweepId);
      addEvent(sweepId, '', 0, 'priority', `${priority}, previously ${before}`);
    },
  };
}

function suggestionWriter(sql: WriteSql) {
  const insert = sql.insert('suggestions', ['sweep_id', 'number', 'config_id', 'choices', 'attributes']);
  return ({ sweepId, suggestion: { number, configId, record } }: ChangeOf<'suggested'>): void => {
    insert(sweepId, number, configId ?? null, JSON.stringify(record.values), record.attributes);
  };
}

function warningWriter(sql: WriteSql) {
  const setFacts = sql.change('update sweeps set reported = ?, lacking = ? where id = ?');
  const insertIdentical = sql.change(upsert('identical_configs', ['sweep_id', 'config_id'], ['replicates']));
  const removeIdentical = sql.change('delete from identical_configs where sweep_id = ? and config_id = ?');
  const insert = sql.change(upsert('warnings', ['sweep_id', 'kind'], ['message', 'count', 'since']));
  const remove = sql.change('delete from warnings where sweep_id = ? and kind = ?');
  return {
    show({ sweepId, warning, shown, appeared }: ChangeOf<'warning'>, addEvent: AddEvent): void {
      if (shown === undefined) {
        remove(sweepId, warning);
        addEvent(sweepId, '', 0, 'warning removed', warning);
        return;
      }
      insert(sweepId, warning, shown.message, shown.count, shown.since);
      if (appeared) addEvent(sweepId, '', 0, 'warning', `${warning}: ${shown.message}`);
    },
    facts({ sweepId, reported, lacking }: ChangeOf<'facts'>): void {
      setFacts(JSON.stringify(reported), lacking, sweepId);
    },
    identical({ sweepId, configId, replicates }: ChangeOf<'identical'>): void {
      if (replicates === 0) removeIdentical(sweepId, configId);
      else insertIdentical(sweepId, configId, replicates);
    },
  };
}
