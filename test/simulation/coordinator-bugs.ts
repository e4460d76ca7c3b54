/** Planted bugs of a coordinator. */

import { Runtime } from '../../coordinator/app/runtime.ts';
import { nothingReceived } from '../../coordinator/core/agent-limits.ts';
import { endAttempt } from '../../coordinator/core/attempt-ends.ts';
import type { Lease } from '../../coordinator/core/attempt-model.ts';
import { addLease } from '../../coordinator/core/leases.ts';
import type { Sweep } from '../../coordinator/core/model.ts';
import type { SweepPolicy } from '../../coordinator/core/policy.ts';
import { newSlotUsage } from '../../coordinator/core/share.ts';
import { combine, type Step } from '../../coordinator/core/step.ts';
import { isFinal, type Trial } from '../../coordinator/core/trial-model.ts';
import { makeReady, setState } from '../../coordinator/core/trials.ts';
import { enterRung, type PromotionRung } from '../../coordinator/early-stop/promotion.ts';
import { usesResults } from '../../coordinator/grid/spec.ts';
import { nextStep } from '../../coordinator/grid/trials.ts';
import { loadTrials } from '../../coordinator/store/load-trials.ts';
import { SqliteReader } from '../../coordinator/store/reader.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { type ExpectedOffers, Offers } from '../../coordinator/transport/offers.ts';
import { keyText } from '../../lib/domain/attempt-key.ts';
import type { AttemptKey, Claim, Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import { databaseOf } from '../support/coordinator/database-of.ts';
import type { Bug } from './bug.ts';
import { aroundOpen, onClaims, onHeartbeats, onRecords, onWelcome } from './interceptors.ts';

type Changing<T> = { -readonly [K in keyof T]: T[K] };

class AnswersBeforeCommit extends Runtime {
  override async settle(step: Step): Promise<void> {
    super.settle(step).catch(() => {});
  }
}

class RestartsNumbers extends Runtime {
  override settle(step: Step): Promise<void> {
    for (const change of step.changes) {
      const trial = change.kind === 'retried' ? trialOf(this, { ...change, attempt: 0 }).trial : undefined;
      if (trial !== undefined) trial.attempts = 0;
    }
    return super.settle(step);
  }
}

class KeepsLosers extends Runtime {
  override settle(step: Step): Promise<void> {
    const changes = step.changes.filter((change) => change.kind !== 'ended' || change.end.outcome !== 'superseded');
    return super.settle({ ...step, changes });
  }
}

class RequeuesAtOrder extends Runtime {
  override settle(step: Step, by = '', canWait = false): Promise<void> {
    const ordered = step.outputs.flatMap((output) => (output.kind === 'return' ? output.keys : []));
    const live = ordered.filter((key) => this.core.leases.has(keyText(key)));
    const ended = live.map((key) => endAttempt(this.core, { key, end: { outcome: 'returned' } }, this.now()));
    return super.settle(combine([step, ...ended]), by, canWait);
  }
}

class ChargesQueuedLosses extends Runtime {
  override settle(step: Step, by = '', canWait = false): Promise<void> {
    const changes = step.changes.map((change) => {
      if (change.kind !== 'ended' || !change.free || change.end.outcome !== 'failed') return change;
      const { trial } = trialOf(this, change.key);
      if (change.end.failure.class !== 'lost' || trial === undefined || trial.lease !== undefined) return change;
      trial.failures.lost = (trial.failures.lost ?? 0) + 1;
      return { ...change, free: false };
    });
    return super.settle({ ...step, changes }, by, canWait);
  }
}

type EndedChange = Step['changes'][number] & { readonly kind: 'ended' };

/** Returns a bug that changes the ends of attempts before they are stored. */
function endsAs(about: string, changeEnd: (ended: EndedChange) => EndedChange): Bug {
  class ChangesEnds extends Runtime {
    override settle(step: Step): Promise<void> {
      const changes = step.changes.map((change) => (change.kind === 'ended' ? changeEnd(change) : change));
      return super.settle({ ...step, changes });
    }
  }
  return { about, runtime: (options) => ChangesEnds.open(options) };
}

class LosesPromotions extends Runtime {
  override settle(step: Step): Promise<void> {
    return super.settle({ ...step, changes: step.changes.filter(({ kind }) => kind !== 'promoted') });
  }
}

class KeepsEndedTrials extends Runtime {
  override settle(step: Step): Promise<void> {
    const ended = step.changes.flatMap((change) => {
      const { sweep, trial } = change.kind === 'trial' ? trialOf(this, { ...change, attempt: 0 }) : {};
      return sweep !== undefined && trial !== undefined && isFinal(trial.state) ? [{ sweep, trial }] : [];
    });
    const settled = super.settle(step);
    for (const { sweep, trial } of ended) sweep.trials.set(trial.id, trial);
    return settled;
  }
}

/**
 * Returns a bug that changes new trials before they are stored. If `changeCreated` returns undefined, the trial is not
 * stored.
 */
function createsAs(about: string, changeCreated: (created: CreatedChange) => CreatedChange | undefined): Bug {
  class ChangesCreation extends Runtime {
    override settle(step: Step): Promise<void> {
      const changes = step.changes.flatMap((change) => {
        return change.kind === 'created' ? (changeCreated(change) ?? []) : change;
      });
      return super.settle({ ...step, changes });
    }
  }
  return { about, runtime: (options) => ChangesCreation.open(options) };
}

type CreatedChange = Step['changes'][number] & { readonly kind: 'created' };

/** Returns a bug that replaces each change of a step with the changes that `change` returns. */
function changesAs(about: string, change: (one: Step['changes'][number], step: Step) => Step['changes']): Bug {
  class ChangesSteps extends Runtime {
    override settle(step: Step, by?: string): Promise<void> {
      return super.settle({ ...step, changes: step.changes.flatMap((one) => change(one, step)) }, by);
    }
  }
  return { about, runtime: (options) => ChangesSteps.open(options) };
}

const replacesMembers = ({ changes }: Step) => changes.some(({ kind }) => kind === 'inherited');

/** Returns a bug that changes new versions of sweeps before they are stored. */
function appliesAs(about: string, changeApplied: (applied: AppliedChange, runtime: Runtime) => AppliedChange): Bug {
  class ChangesVersions extends Runtime {
    override settle(step: Step, by?: string): Promise<void> {
      const changes = step.changes.map((change) => (change.kind === 'applied' ? changeApplied(change, this) : change));
      return super.settle({ ...step, changes }, by);
    }
  }
  return { about, runtime: (options) => ChangesVersions.open(options) };
}

type AppliedChange = Step['changes'][number] & { readonly kind: 'applied' };

class WithoutReconciling extends Offers {
  override reconcile({ pools }: ExpectedOffers): Promise<number> {
    return super.reconcile({ pools, offers: () => [] });
  }

  override rebuild(pool: string, { pools }: ExpectedOffers): Promise<void> {
    return super.rebuild(pool, { pools, offers: () => [] });
  }
}

class WithoutRebuilding extends Offers {
  override async rebuild(): Promise<void> {}
}

class LosesStops extends Runtime {
  override settle(step: Step): Promise<void> {
    const isStop = (change: Step['changes'][number]) =>
      (change.kind === 'ended' && change.end.outcome === 'stopped') ||
      (change.kind === 'trial' && change.state === 'stopped');
    return super.settle({ ...step, changes: step.changes.filter((change) => !isStop(change)) });
  }
}

class LosesAdvances extends Runtime {
  override settle(step: Step): Promise<void> {
    return super.settle({ ...step, changes: step.changes.filter(({ kind }) => kind !== 'advanced') });
  }
}

class KeepsSlotsOfHeldTrials extends Runtime {
  override settle(step: Step): Promise<void> {
    const changes = step.changes.filter((change) => change.kind !== 'ended' || change.end.outcome !== 'held');
    return super.settle({ ...step, changes });
  }
}

class CreditsNewSweeps extends Runtime {
  override addSweep(sweep: Sweep): void {
    sweep.share.hasDemand = true;
    sweep.share.base = -1e9 * Number(sweep.id);
    super.addSweep(sweep);
  }
}

function equalizePriorities({ core }: Runtime): () => void {
  const before = new Map([...core.sweeps.values()].map((sweep) => [sweep, sweep.priority]));
  for (const sweep of before.keys()) sweep.priority = 0;
  return () => {
    for (const [sweep, priority] of before) sweep.priority = priority;
  };
}

function policy(about: string, change: (policy: SweepPolicy) => Partial<SweepPolicy>): Bug {
  const changePolicy = (sweep: Sweep) => {
    (sweep as Changing<Sweep>).policy = { ...sweep.policy, ...change(sweep.policy) };
  };
  class ChangesPolicy extends Runtime {
    override addSweep(sweep: Sweep): void {
      changePolicy(sweep);
      super.addSweep(sweep);
    }
  }
  return {
    about,
    runtime: (options) => ChangesPolicy.open(options),
    onLoaded: ({ core }) => core.sweeps.forEach(changePolicy),
  };
}

function forgets(about: string, forget: (sweep: Sweep, runtime: Runtime) => void | Promise<void>): Bug {
  return {
    about,
    onLoaded: async (runtime) => {
      for (const sweep of runtime.core.sweeps.values()) await forget(sweep, runtime);
    },
  };
}

/** Makes every trial of the sweep in the given final state pending again. */
async function runAgain(runtime: Runtime, sweep: Sweep, state: 'stopped' | 'failed'): Promise<void> {
  const db = databaseOf(runtime);
  const rows = db.prepare('select id from trials where sweep_id = ? and state = ?').all(sweep.id, state);
  const ids = (rows as { readonly id: string }[]).map(({ id }) => id);
  for (const trial of await loadTrials(new SqliteReader(db), sweep, ids, runtime.now())) {
    setState(sweep, trial, 'pending');
    makeReady(sweep, trial);
  }
}

const trialsOf = (sweep: Sweep): Trial[] => [...sweep.trials.values()];

function trialOf(runtime: Runtime, key: AttemptKey | undefined): { sweep?: Sweep; trial?: Trial } {
  const sweep = runtime.core.sweeps.get(key?.sweepId ?? '');
  const trial = sweep?.trials.get(key?.trialId ?? '');
  return sweep && trial ? { sweep, trial } : {};
}

function unfenced(runtime: Runtime, agentId: string, record: RecordMessage): void {
  const lease: Changing<Lease> | undefined = trialOf(runtime, record.key).trial?.lease;
  if (lease === undefined || record.key === undefined || lease.key.attempt <= record.key.attempt) return;
  if (record.body?.$case !== 'epoch') return;
  record.key.attempt = lease.key.attempt;
  record.seq = lease.lastSeq + 1;
  lease.agentId = agentId;
}

function acceptTwice(runtime: Runtime, _agentId: string, record: RecordMessage): void {
  const lease = trialOf(runtime, record.key).trial?.lease;
  if (lease?.key.attempt !== record.key?.attempt || lease === undefined || record.seq > lease.lastSeq) return;
  record.seq = lease.lastSeq + 1;
}

function failLate(runtime: Runtime, _agentId: string, record: RecordMessage): void {
  const lease = trialOf(runtime, record.key).trial?.lease;
  if (lease?.usage.startedAt !== undefined && record.body?.$case === 'ended') lease.usage.startedAt -= 60_000;
}

function leaseTwice(runtime: Runtime, agentId: string, incarnation: string, { key, slot }: Claim): void {
  const lease: Changing<Lease> | undefined = trialOf(runtime, key).trial?.lease;
  if (lease === undefined || lease.key.attempt !== key?.attempt) return;
  Object.assign(lease, { agentId, incarnation, slot });
}

function grantWhilePaused(runtime: Runtime, _agentId: string, _incarnation: string, { key }: Claim): void {
  const { sweep, trial } = trialOf(runtime, key);
  if (sweep?.state === 'paused' && trial?.state === 'pending') setState(sweep, trial, 'offered');
}

function renewEnded(runtime: Runtime, agentId: string, incarnation: string, held: readonly AttemptKey[]): void {
  const { core } = runtime;
  for (const key of held) {
    const { sweep, trial } = trialOf(runtime, key);
    if (sweep === undefined || trial === undefined || trial.state === 'running' || trial.attempts !== key.attempt)
      continue;
    const now = runtime.now();
    const pack = `${agentId}/${now}`;
    const times = { grantedAt: now, expiresAt: now + core.leaseMs };
    const usage = newSlotUsage(sweep, { incarnation, gpus: 0, grantedAt: now });
    addLease(core, sweep, trial, {
      speculative: false,
      key,
      agentId,
      incarnation,
      slot: 0,
      pack,
      usage,
      reported: false,
      lastSeq: 0,
      received: nothingReceived(),
      resumedFrom: 0,
      straggler: undefined,
      ...times,
    });
  }
}

/** Returns a bug that changes each request to a sampler's process. */
function asksAs(about: string, changeRequest: (request: { add: unknown[]; end: unknown[][] }) => void): Bug {
  return {
    about,
    sampler: (start) => (python, events) => {
      const process = start(python, events);
      return {
        send(line) {
          const request = JSON.parse(line);
          changeRequest(request);
          process.send(JSON.stringify(request));
        },
        end: () => process.end(),
      };
    },
  };
}

class ForgetsSuggestions extends Runtime {
  override settle(step: Step, by?: string): Promise<void> {
    return super.settle({ ...step, changes: step.changes.filter(({ kind }) => kind !== 'suggested') }, by);
  }
}

export const COORDINATOR_BUGS: Readonly<Record<string, Bug>> = {
  'suggestions-not-stored': {
    about: 'the suggestions of samplers are not stored',
    runtime: (options) => ForgetsSuggestions.open(options),
  },
  'study-not-rebuilt': asksAs('a new process of a sampler begins with an empty study', (request) => {
    if ('settings' in request) request.add = [];
  }),
  'results-mixed-up': asksAs('a sampler receives results that differ from those of the trials', (request) => {
    for (const end of request.end) if (Array.isArray(end[2])) end[2] = end[2].map((value: number) => value + 1);
  }),
  'ack-before-commit': {
    about: 'answers are sent before the commit is durable',
    runtime: (options) => AnswersBeforeCommit.open(options),
  },
  'torn-commit': { about: 'an interrupted commit leaves its first rows', tornCommits: true },
  'search-stored-ahead': createsAs(
    'the stored state of a search is ahead of its trials, so that a point is skipped after a crash',
    (change) => ({ ...change, state: { ...change.state, search: Number(change.state.search) + 1 } }),
  ),
  'trial-not-durable': createsAs('every fourth trial is offered but not stored', (change) =>
    change.trial.index % 4 === 3 ? undefined : change,
  ),
  'search-forgotten': {
    about: 'a restart ends the search, so that a sweep finishes without its last trials',
    onLoaded: ({ core }) => {
      for (const sweep of core.sweeps.values()) sweep.search = undefined;
    },
  },
  'window-ignored': {
    about: 'all trials of a sweep are created at once',
    onLoaded: ({ core }) => {
      (core as Changing<typeof core>).creationWindow = { trials: 1e9, packsPerSlot: 0 };
    },
  },
  'no-fencing': {
    about: 'reports of a superseded attempt count for the running attempt',
    service: (service, runtime) => onRecords(service, runtime, unfenced),
  },
  'records-accepted-twice': {
    about: 'a repeated record is accepted as a new record',
    service: (service, runtime) => onRecords(service, runtime, acceptTwice),
  },
  'lease-renewed-after-its-end': {
    about: 'a heartbeat renews a lease that has expired',
    nats: (nats, runtime) => onHeartbeats(nats, runtime, renewEnded),
  },
  'leases-never-expire': {
    about: 'the lease of a silent agent never expires',
    onLoaded: ({ core }) => {
      (core as Changing<typeof core>).leaseMs = 1e9;
    },
  },
  'lease-given-twice': {
    about: 'a claim for an attempt of another agent is granted',
    service: (service, runtime) => onClaims(service, runtime, leaseTwice),
  },
  'paused-sweep-grants': {
    about: 'claims for trials of a paused sweep are granted',
    service: (service, runtime) => onClaims(service, runtime, grantWhilePaused),
  },
  'drained-agent-works': {
    about: 'claims of a drained agent are granted',
    service: (service, runtime) => onClaims(service, runtime, (_, agentId) => runtime.core.drains.delete(agentId)),
  },
  'offers-not-reconciled': {
    about: 'offers lost by the stream are not republished',
    offers: (nats, cluster, log) => new WithoutReconciling(nats, cluster, log, () => {}),
  },
  'stuck-offers-left': {
    about: 'a stream that lists offers but delivers none is not recreated',
    offers: (nats, cluster, log) => new WithoutRebuilding(nats, cluster, log, () => {}),
  },
  'submit-not-recognized': {
    about: 'a repeated submit creates a second sweep',
    request: (request) => ({ ...request, requestId: `${request.requestId} ${performance.now()}` }),
  },
  'retry-not-recognized': {
    about: 'a repeated retry request is carried out again',
    onLoaded: ({ queries }) => {
      queries.trials.retried = async () => undefined;
    },
  },
  'killed-trial-runs-on': {
    about: 'the kill of a trial is acknowledged but not carried out',
    onLoaded: ({ queries }) => {
      const trialOf = queries.trials.get.bind(queries.trials);
      queries.trials.get = async (sweepId, trialId) => ({
        ...(await trialOf(sweepId, trialId)),
        state: 'TRIAL_STATE_CANCELLED',
      });
    },
  },
  'retry-restarts-numbers': {
    about: 'the attempt numbers of a retried trial restart at 1',
    runtime: (options) => RestartsNumbers.open(options),
  },
  'attempts-forgotten': forgets('a restart resets the attempt numbers', (sweep) => {
    for (const trial of trialsOf(sweep)) if (trial.state !== 'running') trial.attempts = 0;
  }),
  'failures-forgotten': forgets('a restart resets the number of used retries', (sweep) => {
    for (const trial of trialsOf(sweep)) trial.failures = {};
  }),
  'retries-forgotten': forgets('a restart counts failures from before a manual retry', (sweep, runtime) => {
    const rows = databaseOf(runtime)
      .prepare(
        `select trial_id as id, failure_class as class, count(*) as n from attempts
         where sweep_id = ? and outcome = 'failed' group by trial_id, failure_class`,
      )
      .all(sweep.id) as { id: string; class: FailureClassName; n: number }[];
    for (const row of rows) {
      const trial = sweep.trials.get(row.id);
      if (trial !== undefined) trial.failures[row.class] = row.n;
    }
  }),
  'checkpoints-forgotten': forgets('a restart loses the checkpoints', (sweep) => {
    for (const trial of trialsOf(sweep)) trial.checkpoint = undefined;
  }),
  'pause-forgotten': forgets('a restart resumes paused sweeps', (sweep) => {
    if (sweep.state === 'paused') sweep.state = 'running';
  }),
  'quarantines-forgotten': forgets('a restart ends every quarantine', (_, { core }) => core.quarantines.clear()),
  'early-failures-forgotten': forgets('early failures on agents are lost at a restart', (sweep) => {
    sweep.records.clear();
  }),
  'machine-never-at-fault': {
    about: 'a failure soon after the start of an attempt counts like a late failure',
    service: (service, runtime) => onRecords(service, runtime, failLate),
  },
  'timeout-by-wall-clock': forgets('an attempt exceeds its timeout when the clock is set back', (sweep, runtime) => {
    const db = databaseOf(runtime);
    for (const { lease } of trialsOf(sweep)) {
      if (lease === undefined) continue;
      const row = db
        .prepare('select granted_at as at from attempts where sweep_id = ? and trial_id = ? and number = ?')
        .get(sweep.id, lease.key.trialId, lease.key.attempt) as { at: number };
      lease.usage.startedAt = row.at;
    }
  }),
  'files-not-flushed': {
    about: 'artifacts are acknowledged before their files are on the disk',
    losesFilesOfMs: 3_000,
  },
  'retries-not-counted': policy('failures are retried more often than the sweep allows', ({ retry }) => ({
    retry: { ...retry, oom: retry.oom + 1, crash: retry.crash + 1, timeout: retry.timeout + 1 },
  })),
  'timeout-ignored': policy('attempts have no timeout', () => ({ timeoutMs: undefined })),
  'max-failed-ignored': policy('a sweep with too many failures continues', () => ({ maxFailed: undefined })),
  'target-ignored': policy('a sweep continues after a trial reached its target', () => ({ target: undefined })),
  'resources-ignored': policy('trials are granted to slots without the requested resources', () => ({
    resources: { labels: {} },
  })),
  'pools-not-sent': {
    about: 'an agent receives the pool of its first slot for all slots',
    service: (service) => onWelcome(service, (welcome) => welcome.pools.fill(welcome.pools[0] ?? '')),
  },
  'weights-ignored': policy('sweeps share the slots evenly, regardless of weight', () => ({ weight: 1 })),
  'priority-ignored': {
    about: 'a claim is granted although a trial of higher priority is pending for the slot',
    service: (service, runtime) => aroundOpen(service, () => equalizePriorities(runtime)),
  },
  'priority-forgotten': forgets('a restart resets the priorities of sweeps', (sweep) => {
    sweep.priority = 0;
  }),
  'new-sweep-credited': {
    about: 'a new sweep is credited with slot time from before its submission',
    runtime: (options) => CreditsNewSweeps.open(options),
  },
  'speculates-unasked': policy('stragglers get a second attempt even if the sweep does not set speculate', () => ({
    speculate: true,
  })),
  'loser-not-ended': {
    about: 'a superseded attempt is not ended',
    runtime: (options) => KeepsLosers.open(options),
  },
  'one-of-two-charged': endsAs('the failure of one of two attempts uses a retry', (ended) => ({
    ...ended,
    free: false,
  })),
  'loser-charged': endsAs('a superseded attempt counts as lost', (ended) =>
    ended.end.outcome === 'superseded'
      ? { ...ended, end: { outcome: 'failed', failure: { class: 'lost', message: 'superseded' } } }
      : ended,
  ),
  'requeued-at-the-order': {
    about: 'a queued attempt ends as soon as the coordinator orders its return, before the agent has answered',
    runtime: (options) => RequeuesAtOrder.open(options),
  },
  'queued-losses-charged': {
    about: 'the loss of an attempt in the queue of a slot is charged to its trial',
    runtime: (options) => ChargesQueuedLosses.open(options),
  },
  'returns-charged': endsAs('a returned attempt counts as lost', (ended) =>
    ended.end.outcome === 'returned'
      ? { ...ended, end: { outcome: 'failed', failure: { class: 'lost', message: 'returned' } } }
      : ended,
  ),
  'promotions-lost': {
    about: 'a trial keeps the results of its failed first attempt while its second attempt continues',
    runtime: (options) => LosesPromotions.open(options),
  },
  'stops-not-stored': {
    about: 'a crash between the decision to stop a trial and the stop loses the decision',
    runtime: (options) => LosesStops.open(options),
  },
  'rungs-forgotten': forgets('a restart forgets the scores of the rungs', ({ earlyStopping }) => {
    earlyStopping?.scores.clear();
  }),
  'stopped-trials-run-again': forgets('a restart makes stopped trials pending', (sweep, runtime) =>
    runAgain(runtime, sweep, 'stopped'),
  ),
  'children-not-stored': changesAs('a member of a population is stopped, but its child is not stored', (one) =>
    one.kind === 'inherited' ? [] : [one],
  ),
  'replaced-members-not-stopped': changesAs(
    'a child is stored without the stop of the member that it replaces',
    (one, step) => (one.kind === 'trial' && one.state === 'stopped' && replacesMembers(step) ? [] : [one]),
  ),
  'old-checkpoint-inherited': changesAs('a child starts from a checkpoint that its parent does not have', (one) =>
    one.kind === 'inherited'
      ? [{ ...one, origin: { ...one.origin, checkpoint: { ...one.origin.checkpoint, epoch: 0 } } }]
      : [one],
  ),
  'failed-members-forgotten': forgets('a restart replaces failed members a second time', (sweep, runtime) => {
    const rows = databaseOf(runtime)
      .prepare("select id from trials where sweep_id = ? and state = 'failed'")
      .all(sweep.id) as {
      id: string;
    }[];
    for (const { id } of rows) sweep.earlyStopping?.population?.vacant.add(id);
  }),
  'holds-forgotten': forgets('a restart makes held trials pending', (sweep) => {
    for (const trial of trialsOf(sweep)) {
      if (trial.state !== 'held') continue;
      setState(sweep, trial, 'pending');
      makeReady(sweep, trial);
    }
  }),
  'held-trials-not-loaded': forgets('a restart loses the held trials', (sweep) => {
    for (const trial of trialsOf(sweep)) if (trial.state === 'held') sweep.trials.delete(trial.id);
  }),
  'held-trial-keeps-slot': {
    about: 'the attempt of a held trial is not ended',
    runtime: (options) => KeepsSlotsOfHeldTrials.open(options),
  },
  'advances-not-stored': {
    about: 'a held trial resumes without a stored promotion',
    runtime: (options) => LosesAdvances.open(options),
  },
  'promotions-repeated': forgets('a restart promotes trials a second time', (sweep) => {
    const { rungs } = sweep.earlyStopping?.promotion ?? { rungs: new Map<number, PromotionRung>() };
    for (const [step, rung] of rungs) {
      for (const trial of trialsOf(sweep)) {
        if (trial.rung !== step || trial.promotedFrom !== step) continue;
        trial.promotedFrom = 0;
        rung.promoted.splice(rung.promoted.indexOf(trial.rungScore), 1);
        enterRung(rung, { trialId: trial.id, score: trial.rungScore });
        rung.scores.splice(rung.scores.indexOf(trial.rungScore), 1);
      }
    }
  }),
  'dropped-trials-not-stored': appliesAs(
    'a new version does not mark the trials of dropped points as dropped',
    (applied) => ({
      ...applied,
      dropped: [],
    }),
  ),
  'dropped-trials-retried': appliesAs(
    'a failed trial is retried although its point was dropped',
    (applied, { core }) => {
      for (const trial of core.sweeps.get(applied.sweepId)?.trials.values() ?? []) trial.dropped = false;
      return applied;
    },
  ),
  'version-plans-wrongly': appliesAs('a new version does not count the trials of dropped points', (applied) => ({
    ...applied,
    planned: applied.planned - applied.dropped.length,
  })),
  'kept-points-run-again': {
    about: 'a new version creates the trials of kept points again',
    onLoaded: (runtime) => {
      const forgetful: Runtime['openSource'] = ({ text, fileName }) => {
        const spec = parseSweep(text, fileName);
        return {
          usesResults: usesResults(spec.search),
          prepare: async () => {},
          next: (state) => nextStep(spec, state, () => false),
        };
      };
      Object.assign(runtime, { openSource: forgetful });
    },
  },
  'ended-trials-not-counted': forgets('a restart counts only the trials that have not ended', ({ counts }) => {
    Object.assign(counts, { succeeded: 0, stopped: 0, failed: 0, cancelled: 0 });
  }),
  'ended-trials-kept': {
    about: 'trials that have ended stay in memory',
    runtime: (options) => KeepsEndedTrials.open(options),
  },
  'ended-trials-run-again': forgets('a restart makes failed trials pending', (sweep, runtime) =>
    runAgain(runtime, sweep, 'failed'),
  ),
  'concurrency-ignored': policy('more trials run at once than the sweep allows', () => ({ concurrency: undefined })),
};
