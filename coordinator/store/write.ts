/** Each kind of change as rows. Called inside a transaction only. */
import type { Database } from 'libsql';
import type { AttemptEnd, AttemptKey } from '../core/model.ts';
import type { Change } from '../core/step.ts';

export interface StoredEvent {
  readonly seq: number;
  readonly at: number;
  readonly sweepId: string;
  readonly trialId: string;
  readonly attempt: number;
  readonly kind: string;
  readonly detail: string;
}

/** An artifact that no row names any more: its file may go. */
export interface DroppedArtifact {
  readonly key: AttemptKey;
  readonly name: string;
}

/** What a transaction did beyond its changes. */
export interface Written {
  readonly events: StoredEvent[];
  readonly dropped: DroppedArtifact[];
}

/** What a trial reported last at epoch `?`, which its next attempt goes on from. */
const METRICS_AT = `coalesce((select metrics from reports as r where r.sweep_id = trials.sweep_id
  and r.trial_id = trials.id and r.epoch = ? order by attempt desc limit 1), '{}')`;

export function writerOf(db: Database): (change: Change, at: number, written: Written) => void {
  const event = db.prepare(
    'insert into events (at, sweep_id, trial_id, attempt, kind, detail) values (?, ?, ?, ?, ?, ?)',
  );
  const moveTrial = db.prepare(
    `update trials set state = ?1, failure_class = ?2, failure_message = ?3,
       ended_at = case when ?1 in ('succeeded', 'stopped', 'failed', 'cancelled') then ?4 else 0 end
     where sweep_id = ?5 and id = ?6`,
  );
  const grantTrial = db.prepare(
    `update trials set state = 'running', attempts = ?, agent_id = ?, backend = ?, epoch = ?,
       metrics = ${METRICS_AT},
       failure_class = null, failure_message = null, started_at = ?, ended_at = 0
     where sweep_id = ? and id = ?`,
  );
  const retryTrial = db.prepare(
    `update trials set state = 'pending', epoch = ?, metrics = ${METRICS_AT}, failure_class = null, failure_message = null,
       ended_at = 0 where sweep_id = ? and id = ?`,
  );
  const retry = db.prepare('insert into retries (sweep_id, trial_id, request_id, attempts, at) values (?, ?, ?, ?, ?)');
  const grant = db.prepare(
    `insert into attempts (sweep_id, trial_id, number, agent_id, incarnation, slot, pack, backend, granted_at,
       resumed_from)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const end = db.prepare(
    `update attempts set ended_at = ?, outcome = ?, failure_class = ?, failure_message = ?
     where sweep_id = ? and trial_id = ? and number = ?`,
  );
  const report = db.prepare(
    'insert into reports (sweep_id, trial_id, attempt, seq, at, epoch, metrics) values (?, ?, ?, ?, ?, ?, ?)',
  );
  const progress = db.prepare('update trials set epoch = ?, metrics = ? where sweep_id = ? and id = ?');
  const log = db.prepare('insert into logs (sweep_id, trial_id, attempt, seq, at, text) values (?, ?, ?, ?, ?, ?)');
  const artifact = db.prepare(
    `insert or replace into artifacts (sweep_id, trial_id, attempt, name, kind, epoch, size, sha256, seq, at)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const dropCheckpoints = db.prepare(
    "delete from artifacts where sweep_id = ? and trial_id = ? and kind = 'checkpoint' returning attempt, name",
  );
  const drain = db.prepare('insert or replace into drains (agent_id, grace_left_ms, reason) values (?, ?, ?)');
  const undrain = db.prepare('delete from drains where agent_id = ?');
  const moveSweep = db.prepare(
    `update sweeps set state = ?1, reason = ?2,
       ended_at = case when ?1 in ('finished', 'stopped', 'killed') then ?3 else 0 end where id = ?4`,
  );

  const prioritize = db.prepare('update sweeps set priority = ? where id = ?');

  return (change, at, { events, dropped }) => {
    /** Of a trial only the newest checkpoint is of use. */
    const drop = (sweepId: string, trialId: string, newest?: { readonly attempt: number; readonly name: string }) => {
      const rows = dropCheckpoints.all(sweepId, trialId) as { attempt: number; name: string }[];
      for (const { attempt, name } of rows) {
        if (attempt === newest?.attempt && name === newest.name) continue;
        dropped.push({ key: { sweepId, trialId, attempt }, name });
      }
    };
    const note = (sweepId: string, trialId: string, attempt: number, kind: string, detail: string) => {
      const { lastInsertRowid } = event.run(at, sweepId, trialId, attempt, kind, detail);
      events.push({ seq: Number(lastInsertRowid), at, sweepId, trialId, attempt, kind, detail });
    };
    switch (change.kind) {
      case 'trial': {
        const { sweepId, trialId, state, detail, failure } = change;
        moveTrial.run(state, failure?.class ?? null, failure?.message ?? null, at, sweepId, trialId);
        if (state === 'succeeded') drop(sweepId, trialId);
        note(sweepId, trialId, 0, state, detail);
        break;
      }
      case 'retried': {
        const { sweepId, trialId, requestId, attempts, resumesFrom } = change;
        retry.run(sweepId, trialId, requestId, attempts, at);
        retryTrial.run(resumesFrom, resumesFrom, sweepId, trialId);
        if (resumesFrom === 0) drop(sweepId, trialId);
        note(sweepId, trialId, 0, 'retried', describeRetry(change));
        break;
      }
      case 'priority': {
        const { sweepId, priority, before } = change;
        prioritize.run(priority, sweepId);
        note(sweepId, '', 0, 'priority', `${priority}, it was ${before}`);
        break;
      }
      case 'granted': {
        const { sweepId, trialId, attempt } = change.key;
        const { agentId, incarnation, slot, pack, backend, resumedFrom } = change;
        grant.run(sweepId, trialId, attempt, agentId, incarnation, slot, pack, backend, at, resumedFrom);
        grantTrial.run(attempt, agentId, backend, resumedFrom, resumedFrom, at, sweepId, trialId);
        const from = resumedFrom === 0 ? '' : `, after epoch ${resumedFrom}`;
        note(sweepId, trialId, attempt, 'granted', `to agent ${agentId}, slot ${slot}${from}`);
        break;
      }
      case 'ended': {
        const { sweepId, trialId, attempt } = change.key;
        const { outcome } = change.end;
        const failure = change.end.outcome === 'failed' ? change.end.failure : undefined;
        end.run(at, outcome, failure?.class ?? null, failure?.message ?? null, sweepId, trialId, attempt);
        note(sweepId, trialId, attempt, 'ended', describe(change.end));
        break;
      }
      case 'report': {
        const { sweepId, trialId, attempt } = change.key;
        const metrics = JSON.stringify(change.metrics);
        report.run(sweepId, trialId, attempt, change.seq, change.at, change.epoch, metrics);
        progress.run(change.epoch, metrics, sweepId, trialId);
        note(sweepId, trialId, attempt, 'reported', `epoch ${change.epoch}`);
        break;
      }
      case 'log': {
        const { sweepId, trialId, attempt } = change.key;
        log.run(sweepId, trialId, attempt, change.seq, change.at, change.text);
        break;
      }
      case 'artifact': {
        const { sweepId, trialId, attempt } = change.key;
        const { name, kind, epoch, size, sha256 } = change.artifact;
        if (kind === 'checkpoint') drop(sweepId, trialId, { attempt, name });
        artifact.run(sweepId, trialId, attempt, name, kind, epoch, size, sha256, change.seq, change.at);
        break;
      }
      case 'drain':
        if (change.drain === undefined) undrain.run(change.agentId);
        else drain.run(change.agentId, change.drain.graceLeftMs, change.drain.reason);
        break;
      case 'sweep':
        moveSweep.run(change.state, change.reason, at, change.sweepId);
        note(change.sweepId, '', 0, `sweep ${change.state}`, change.reason);
        break;
    }
  };
}

function describe(end: AttemptEnd): string {
  return end.outcome === 'failed' ? `failed (${end.failure.class}): ${end.failure.message}` : end.outcome;
}

function describeRetry({ failure, resumesFrom }: Change & { kind: 'retried' }): string {
  const was = failure === undefined ? 'it was cancelled' : `it had failed (${failure})`;
  return resumesFrom === 0 ? was : `${was}; it goes on after epoch ${resumesFrom}`;
}
