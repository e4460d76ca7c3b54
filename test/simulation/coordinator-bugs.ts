/** Bugs of a coordinator. */

import { Runtime } from '../../coordinator/app/runtime.ts';
import { addLease } from '../../coordinator/core/leases.ts';
import type { Lease, Sweep, SweepPolicy, Trial } from '../../coordinator/core/model.ts';
import { beginSlotUsage } from '../../coordinator/core/share.ts';
import type { Step } from '../../coordinator/core/step.ts';
import { setState } from '../../coordinator/core/trials.ts';
import { type ExpectedOffers, Offers } from '../../coordinator/transport/offers.ts';
import type { AttemptKey, Claim, Record as RecordMessage } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import type { Bug } from './bug.ts';
import { aroundOpen, onClaims, onHeartbeats, onRecords, onWelcome } from './meddling.ts';

type Changing<T> = { -readonly [K in keyof T]: T[K] };

/** Answers before what it answers is durable. */
class Hasty extends Runtime {
  override async settle(step: Step): Promise<void> {
    super.settle(step).catch(() => {});
  }
}

/** Gives the next attempt of a retried trial a number that is taken. */
class Renumbering extends Runtime {
  override settle(step: Step): Promise<void> {
    for (const change of step.changes) {
      const trial = change.kind === 'retried' ? trialOf(this, { ...change, attempt: 0 }).trial : undefined;
      if (trial !== undefined) trial.attempts = 0;
    }
    return super.settle(step);
  }
}

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

class Generous extends Runtime {
  override addSweep(sweep: Sweep): void {
    sweep.share.hasDemand = true;
    sweep.share.base = -1e9 * Number(sweep.id);
    super.addSweep(sweep);
  }
}

/** Every sweep is as urgent as another, until the returned function is called. */
function asUrgent({ core }: Runtime): () => void {
  const before = new Map([...core.sweeps.values()].map((sweep) => [sweep, sweep.priority]));
  for (const sweep of before.keys()) sweep.priority = 0;
  return () => {
    for (const [sweep, priority] of before) sweep.priority = priority;
  };
}

/** Runs every sweep by another policy than it was submitted with. */
function policy(about: string, change: (policy: SweepPolicy) => Partial<SweepPolicy>): Bug {
  const spoil = (sweep: Sweep) => {
    (sweep as Changing<Sweep>).policy = { ...sweep.policy, ...change(sweep.policy) };
  };
  class Spoilt extends Runtime {
    override addSweep(sweep: Sweep): void {
      spoil(sweep);
      super.addSweep(sweep);
    }
  }
  return {
    about,
    runtime: (options) => new Spoilt(options),
    onLoaded: ({ core }) => core.sweeps.forEach(spoil),
  };
}

/** Forgets something at each start. */
function forgets(about: string, forget: (sweep: Sweep, runtime: Runtime) => void): Bug {
  return {
    about,
    onLoaded: (runtime) => {
      for (const sweep of runtime.core.sweeps.values()) forget(sweep, runtime);
    },
  };
}

const trialsOf = (sweep: Sweep): Trial[] => [...sweep.trials.values()];

function trialOf(runtime: Runtime, key: AttemptKey | undefined): { sweep?: Sweep; trial?: Trial } {
  const sweep = runtime.core.sweeps.get(key?.sweepId ?? '');
  const trial = sweep?.trials.get(key?.trialId ?? '');
  return sweep && trial ? { sweep, trial } : {};
}

/** A report of a superseded attempt is taken for one of the attempt that runs. */
function unfenced(runtime: Runtime, agentId: string, record: RecordMessage): void {
  const lease: Changing<Lease> | undefined = trialOf(runtime, record.key).trial?.lease;
  if (lease === undefined || record.key === undefined || lease.key.attempt <= record.key.attempt) return;
  if (record.body?.$case !== 'epoch') return;
  record.key.attempt = lease.key.attempt;
  record.seq = lease.lastSeq + 1;
  lease.agentId = agentId;
}

function takenAgain(runtime: Runtime, _agentId: string, record: RecordMessage): void {
  const lease = trialOf(runtime, record.key).trial?.lease;
  if (lease?.key.attempt !== record.key?.attempt || lease === undefined || record.seq > lease.lastSeq) return;
  record.seq = lease.lastSeq + 1;
}

/** The claimant gets what another has. */
function leaseTwice(runtime: Runtime, agentId: string, incarnation: string, { key, slot }: Claim): void {
  const lease: Changing<Lease> | undefined = trialOf(runtime, key).trial?.lease;
  if (lease === undefined || lease.key.attempt !== key?.attempt) return;
  Object.assign(lease, { agentId, incarnation, slot });
}

function grantWhilePaused(runtime: Runtime, _agentId: string, _incarnation: string, { key }: Claim): void {
  const { sweep, trial } = trialOf(runtime, key);
  if (sweep?.state === 'paused' && trial?.state === 'pending') setState(sweep, trial, 'offered');
}

/** What is not leased any more is leased again to whoever says that it runs it. */
function renewEnded(runtime: Runtime, agentId: string, incarnation: string, held: readonly AttemptKey[]): void {
  const { core } = runtime;
  for (const key of held) {
    const { sweep, trial } = trialOf(runtime, key);
    if (sweep === undefined || trial === undefined || trial.state === 'running' || trial.attempts !== key.attempt)
      continue;
    const now = runtime.now();
    const pack = `${agentId}/${now}`;
    const times = { grantedAt: now, expiresAt: now + core.leaseMs };
    const usage = beginSlotUsage(sweep, now);
    addLease(core, trial, { key, agentId, incarnation, slot: 0, pack, usage, lastSeq: 0, ...times });
  }
}

export const COORDINATOR_BUGS: Readonly<Record<string, Bug>> = {
  'ack-before-commit': {
    about: 'answers leave before what they answer is durable',
    runtime: (options) => new Hasty(options),
  },
  'torn-commit': { about: 'a commit that is cut short leaves its first rows', tornCommits: true },
  'no-fencing': {
    about: 'reports of a superseded attempt count for the one that runs',
    service: (service, runtime) => onRecords(service, runtime, unfenced),
  },
  'records-taken-twice': {
    about: 'a record that comes again is taken for a new one',
    service: (service, runtime) => onRecords(service, runtime, takenAgain),
  },
  'lease-renewed-after-its-end': {
    about: 'a heartbeat renews a lease that has expired',
    nats: (nats, runtime) => onHeartbeats(nats, runtime, renewEnded),
  },
  'leases-never-expire': {
    about: 'an attempt of which nothing is heard is never given up',
    onLoaded: ({ core }) => {
      (core as Changing<typeof core>).leaseMs = 1e9;
    },
  },
  'lease-given-twice': {
    about: 'a claim of what another agent holds is granted',
    service: (service, runtime) => onClaims(service, runtime, leaseTwice),
  },
  'paused-sweep-grants': {
    about: "a paused sweep's trials are granted to those who have their offers",
    service: (service, runtime) => onClaims(service, runtime, grantWhilePaused),
  },
  'drained-agent-works': {
    about: 'a drained agent is granted what it claims',
    service: (service, runtime) => onClaims(service, runtime, (_, agentId) => runtime.core.drains.delete(agentId)),
  },
  'offers-not-reconciled': {
    about: 'offers that the stream lost are not published again',
    offers: (nats, cluster, log) => new WithoutReconciling(nats, cluster, log, () => {}),
  },
  'stuck-offers-left': {
    about: 'a stream that lists offers and hands none out is not made anew',
    offers: (nats, cluster, log) => new WithoutRebuilding(nats, cluster, log, () => {}),
  },
  'submit-not-recognized': {
    about: 'a submit that comes again makes a second sweep',
    request: (request) => ({ ...request, requestId: `${request.requestId} ${performance.now()}` }),
  },
  'retry-not-recognized': {
    about: 'a retry that comes again is carried out again',
    onLoaded: ({ queries }) => {
      queries.retried = () => undefined;
    },
  },
  'retried-numbered-anew': {
    about: 'the attempts of a retried trial begin at 1 again',
    runtime: (options) => new Renumbering(options),
  },
  'attempts-forgotten': forgets('a restart begins to number the attempts anew', (sweep) => {
    for (const trial of trialsOf(sweep)) if (trial.state !== 'running') trial.attempts = 0;
  }),
  'failures-forgotten': forgets('a restart forgets what the retries have used up', (sweep) => {
    for (const trial of trialsOf(sweep)) trial.failures = {};
  }),
  'retries-forgotten': forgets('a restart counts what failed before a person had it tried again', (sweep, { db }) => {
    const rows = db
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
  'checkpoints-forgotten': forgets('a restart forgets the checkpoints', (sweep) => {
    for (const trial of trialsOf(sweep)) trial.checkpoint = undefined;
  }),
  'pause-forgotten': forgets('a restart resumes paused sweeps', (sweep) => {
    if (sweep.state === 'paused') sweep.state = 'running';
  }),
  'timeout-by-wall-clock': forgets('an attempt outlasts its timeout when the clock is set back', (sweep, { db }) => {
    for (const { lease } of trialsOf(sweep)) {
      if (lease === undefined) continue;
      const row = db
        .prepare('select granted_at as at from attempts where sweep_id = ? and trial_id = ? and number = ?')
        .get(sweep.id, lease.key.trialId, lease.key.attempt) as { at: number };
      (lease as Changing<Lease>).grantedAt = row.at;
    }
  }),
  'files-not-flushed': {
    about: "artifacts' files are acknowledged before they are on the disk",
    losesFilesOfMs: 3_000,
  },
  'retries-not-counted': policy('failures are retried more often than the sweep allows', ({ retry }) => ({
    retry: { ...retry, oom: retry.oom + 1, crash: retry.crash + 1, timeout: retry.timeout + 1 },
  })),
  'timeout-ignored': policy('attempts may run for ever', () => ({ timeoutMs: undefined })),
  'max-failed-ignored': policy('a sweep with too many failures goes on', () => ({ maxFailed: undefined })),
  'demands-ignored': policy('any slot is granted any trial, whatever that asks for', () => ({
    resources: { labels: {} },
  })),
  'pools-untold': {
    about: "an agent is told of its first slot's pool only, whatever the others have",
    service: (service) => onWelcome(service, (welcome) => welcome.pools.fill(welcome.pools[0] ?? '')),
  },
  'weights-ignored': policy('sweeps share the slots evenly, whatever their weights', () => ({ weight: 1 })),
  'urgency-ignored': {
    about: 'a claim is granted although something more urgent waits for the slot',
    service: (service, runtime) => aroundOpen(service, () => asUrgent(runtime)),
  },
  'priority-forgotten': forgets('a restart forgets how urgent the sweeps are', (sweep) => {
    sweep.priority = 0;
  }),
  'credit-for-coming-late': {
    about: 'a sweep that comes is given what it would have had, had it been there before',
    runtime: (options) => new Generous(options),
  },
  'concurrency-ignored': policy('more trials run at once than the sweep allows', () => ({ concurrency: undefined })),
};
