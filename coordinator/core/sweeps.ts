/** Sweeps come, are paused, resumed, stopped and killed. */
import TinyQueue from 'tinyqueue';
import { RefusedError } from '../../proto/errors.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { dropLease } from './leases.ts';
import { type Core, isEnded, type Sweep, type SweepPolicy, type SweepState, type Trial } from './model.ts';
import { leaveOthers, newShare } from './share.ts';
import { Step } from './step.ts';
import { byIndex, closeIfDone, makeReady, moveTrial, setSweepState, withdrawOffers } from './trials.ts';

/** A sweep without trials; `addTrial` fills it. */
export function newSweep(id: string, state: SweepState, policy: SweepPolicy, priority: number): Sweep {
  return {
    id,
    policy,
    state,
    priority,
    share: newShare(),
    trials: new Map(),
    counts: { pending: 0, offered: 0, running: 0, succeeded: 0, stopped: 0, failed: 0, cancelled: 0 },
    offers: new Set(),
    ready: new TinyQueue<Trial>([], byIndex),
    packable: new Map(),
    delayed: new TinyQueue<{ trial: Trial; readyAt: number }>([], (a, b) => a.readyAt - b.readyAt),
    suits: new Map(),
  };
}

export function addTrial(sweep: Sweep, trial: Trial): void {
  sweep.trials.set(trial.id, trial);
  sweep.counts[trial.state] += 1;
  if (trial.state === 'offered') sweep.offers.add(trial);
  // What was offered is offered again, or taken into a pack.
  if (trial.state === 'pending' || trial.state === 'offered') makeReady(sweep, trial);
}

/** Grants and offers of the sweep end; running trials go on. */
export function onPause(core: Core, sweepId: string, reason: string): Step {
  const sweep = live(core, sweepId, 'pause');
  const step = new Step();
  if (sweep.state === 'paused') return step;
  if (sweep.state === 'stopping') throw new RefusedError(`sweep ${sweepId} is stopping: it cannot be paused`);
  pause(sweep, reason, step);
  return step;
}

export function pause(sweep: Sweep, reason: string, step: Step): void {
  withdrawOffers(sweep, step, 'pending', 'the sweep was paused');
  setSweepState(sweep, 'paused', reason, step);
}

export function onResume(core: Core, sweepId: string): Step {
  const sweep = live(core, sweepId, 'resume');
  const step = new Step();
  if (sweep.state === 'running') return step;
  if (sweep.state === 'stopping') throw new RefusedError(`sweep ${sweepId} is stopping: it cannot be resumed`);
  setSweepState(sweep, 'running', '', step);
  return step;
}

/** From now on its trials come before those of sweeps with less; what runs goes on. */
export function onPriority(core: Core, sweepId: string, priority: number, now: number): Step {
  const sweep = live(core, sweepId, 'change the priority of');
  const step = new Step();
  const before = sweep.priority;
  if (before === priority) return step;
  sweep.priority = priority;
  leaveOthers(sweep, now);
  step.changes.push({ kind: 'priority', sweepId, priority, before });
  return step;
}

/** Waiting trials are cancelled, running ones finish. */
export function onStop(core: Core, sweepId: string, reason: string): Step {
  const sweep = live(core, sweepId, 'stop');
  const step = new Step();
  if (sweep.state === 'stopping') return step;
  cancelWaiting(sweep, step, reason || 'the sweep was stopped');
  setSweepState(sweep, 'stopping', reason, step);
  closeIfDone(sweep, step);
  return step;
}

/** Every trial that has not ended is cancelled now. */
export function onKill(core: Core, sweepId: string, reason: string): Step {
  const sweep = live(core, sweepId, 'kill');
  const step = new Step();
  const why = reason || 'the sweep was killed';
  cancelWaiting(sweep, step, why);
  for (const trial of sweep.trials.values()) {
    const lease = trial.lease;
    if (lease === undefined) continue;
    dropLease(core, trial, lease);
    step.changes.push({ kind: 'ended', key: lease.key, ending: { outcome: 'cancelled' } });
    moveTrial(sweep, trial, 'cancelled', step, { detail: why });
    step.outputs.push({
      kind: 'dismiss',
      agentId: lease.agentId,
      key: lease.key,
      refusal: { code: RefusalCode.ENDED, message: why },
    });
  }
  setSweepState(sweep, 'killed', reason, step);
  return step;
}

function cancelWaiting(sweep: Sweep, step: Step, why: string): void {
  withdrawOffers(sweep, step, 'cancelled', why);
  for (const trial of sweep.trials.values()) {
    if (trial.state === 'pending') moveTrial(sweep, trial, 'cancelled', step, { detail: why });
  }
}

function live(core: Core, sweepId: string, verb: string): Sweep {
  const sweep = core.sweeps.get(sweepId);
  if (sweep === undefined) throw new RefusedError(`cannot ${verb} sweep ${sweepId}: this coordinator does not run it`);
  if (isEnded(sweep.state)) throw new RefusedError(`cannot ${verb} sweep ${sweepId}: it has ended (${sweep.state})`);
  return sweep;
}
