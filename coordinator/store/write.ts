/**
 * Writes changes as rows of the store. Each group of tables has its own functions, which must be called inside a
 * transaction.
 */

import type { Database } from 'libsql';
import type { Change } from '../core/step.ts';
import { createdConfigs } from '../search/trial-source.ts';
import { agentWriter, drainWriter, quarantineWriter } from './write-agents.ts';
import {
  type AddAgentEvent,
  type AddEvent,
  AGENT_EVENTS,
  type ChangeOf,
  eventWriter,
  type StoredEvent,
  type TransactionResult,
} from './write-events.ts';
import {
  artifactWriter,
  attemptWriter,
  noticeWriter,
  programWriter,
  rungWriter,
  sweepPolicies,
  trialWriter,
  valuesReader,
} from './write-trials.ts';
import { versionWriter } from './write-versions.ts';

/**
 * Prepares every statement once.
 * @returns the function that writes one change at the time `at`; `by` is the user who made the change (default: none)
 */
export function changeWriter(
  db: Database,
): (change: Change, at: number, written: TransactionResult, by?: string) => void {
  const insertEvent = eventWriter(db);
  const artifacts = artifactWriter(db);
  const policies = sweepPolicies(db);
  const trials = trialWriter(db, valuesReader(db, policies.of));
  const attempts = attemptWriter(db, policies.of);
  const writeVersion = versionWriter(db);
  const sweeps = sweepWriter(db);
  const writeDrain = drainWriter(db);
  const writeAgent = agentWriter(db);
  const writeQuarantine = quarantineWriter(db);
  const rungs = rungWriter(db);
  const writeNotice = noticeWriter(db);
  const writeProgram = programWriter(db);
  const warnings = warningWriter(db);
  const writeSuggestion = suggestionWriter(db);
  return (change, at, written, by = '') => {
    const add = (event: Pick<StoredEvent, 'sweepId' | 'trialId' | 'attempt' | 'agentId' | 'kind' | 'detail'>) =>
      written.events.push(insertEvent({ ...event, at, by }));
    const addEvent: AddEvent = (sweepId, trialId, attempt, kind, detail) =>
      add({ sweepId, trialId, attempt, agentId: '', kind, detail });
    const addAgentEvent: AddAgentEvent = (agentId, kind, detail) =>
      add({ sweepId: AGENT_EVENTS, trialId: '', attempt: 0, agentId, kind, detail });
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
        if (change.state === 'succeeded' || change.state === 'stopped')
          artifacts.dropCheckpoints(change, written.dropped);
        break;
      case 'retried':
        trials.retry(change, at, addEvent);
        if (change.resumesFrom === 0) artifacts.dropCheckpoints(change, written.dropped);
        break;
      case 'granted':
        attempts.grant(change, at, addEvent);
        if (change.speculative) trials.grantSpeculative(change);
        else trials.grant(change, at);
        break;
      case 'promoted':
        attempts.promote(change);
        trials.promote(change);
        break;
      case 'ended':
        attempts.end(change, at, addEvent);
        break;
      case 'straggler':
        attempts.markStraggler(change, addEvent);
        break;
      case 'cleared':
        attempts.clear(change);
        break;
      case 'report':
        attempts.report(change, addEvent);
        break;
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
        writeVersion(change, at, addEvent);
        policies.forget(change.sweepId);
        break;
      case 'priority':
        sweeps.prioritize(change, addEvent);
        break;
    }
  };
}

function sweepWriter(db: Database) {
  const move = db.prepare(
    `update sweeps set state = ?1, reason = coalesce(?2, reason),
       ended_at = case when ?1 in ('finished', 'stopped', 'killed') then ?3 else 0 end,
       resumed_at = case when ?1 = 'running' then ?3 else resumed_at end, state_at = ?3, state_by = ?5,
       searching = case when ?1 in ('running', 'paused') then searching else 0 end
     where id = ?4`,
  );
  const search = db.prepare(
    `update sweeps set search = ?1, searching = ?2, planned = case when ?2 = 1 then planned else ?3 end,
       configs = case when ?2 = 1 or ?5 = 1 then configs else ?4 end where id = ?6`,
  );
  const addPlanned = db.prepare('update sweeps set planned = planned + 1, configs = configs + 1 where id = ?');
  const prioritize = db.prepare('update sweeps set priority = ? where id = ?');
  return {
    search({ sweepId, state, done }: Pick<ChangeOf<'searched'>, 'sweepId' | 'state' | 'done'>): void {
      search.run(
        JSON.stringify(state),
        done ? 0 : 1,
        state.created,
        createdConfigs(state),
        state.merges ? 1 : 0,
        sweepId,
      );
    },
    /**
     * Adds a child to the planned trials, because the children of a population are not planned before they are created.
     */
    plan({ sweepId }: ChangeOf<'inherited'>): void {
      addPlanned.run(sweepId);
    },
    move({ sweepId, state, reason }: ChangeOf<'sweep'>, at: number, by: string, addEvent: AddEvent): void {
      move.run(state, reason ?? null, at, sweepId, by);
      addEvent(sweepId, '', 0, `sweep ${state}`, reason ?? '');
    },
    prioritize({ sweepId, priority, before }: ChangeOf<'priority'>, addEvent: AddEvent): void {
      prioritize.run(priority, sweepId);
      addEvent(sweepId, '', 0, 'priority', `${priority}, previously ${before}`);
    },
  };
}

function suggestionWriter(db: Database) {
  const insert = db.prepare(
    'insert into suggestions (sweep_id, number, config_id, choices, attributes) values (?, ?, ?, ?, ?)',
  );
  return ({ sweepId, suggestion: { number, configId, record } }: ChangeOf<'suggested'>): void => {
    insert.run(sweepId, number, configId ?? null, JSON.stringify(record.values), record.attributes);
  };
}

function warningWriter(db: Database) {
  const setFacts = db.prepare('update sweeps set reported = ?, lacking = ? where id = ?');
  const insertIdentical = db.prepare(
    'insert or replace into identical_configs (sweep_id, config_id, replicates) values (?, ?, ?)',
  );
  const removeIdentical = db.prepare('delete from identical_configs where sweep_id = ? and config_id = ?');
  const insert = db.prepare(
    'insert or replace into warnings (sweep_id, kind, message, count, since) values (?, ?, ?, ?, ?)',
  );
  const remove = db.prepare('delete from warnings where sweep_id = ? and kind = ?');
  return {
    show({ sweepId, warning, shown, appeared }: ChangeOf<'warning'>, addEvent: AddEvent): void {
      if (shown === undefined) {
        remove.run(sweepId, warning);
        addEvent(sweepId, '', 0, 'warning removed', warning);
        return;
      }
      insert.run(sweepId, warning, shown.message, shown.count, shown.since);
      if (appeared) addEvent(sweepId, '', 0, 'warning', `${warning}: ${shown.message}`);
    },
    facts({ sweepId, reported, lacking }: ChangeOf<'facts'>): void {
      setFacts.run(JSON.stringify(reported), lacking, sweepId);
    },
    identical({ sweepId, configId, replicates }: ChangeOf<'identical'>): void {
      if (replicates === 0) removeIdentical.run(sweepId, configId);
      else insertIdentical.run(sweepId, configId, replicates);
    },
  };
}
