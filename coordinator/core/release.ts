/** Releases the leases of attempts that end: one attempt, or every attempt of a trial that is cancelled. */
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { AttemptEnd, Lease } from './attempt-model.ts';
import { endCurve } from './early-stopping.ts';
import { dropLease, leasesOf } from './leases.ts';
import type { Core, Sweep } from './model.ts';
import { onProbeEnd } from './quarantine.ts';
import { endSlotUsage } from './share.ts';
import { type Change, type Step, stepOf } from './step.ts';
import { recordDuration } from './stragglers.ts';
import type { Trial } from './trial-model.ts';
import { moveTrial, withdrawSpeculativeOffer } from './trials.ts';
import { onAttemptEnd } from './warnings.ts';

export interface RunningAttempt {
  readonly sweep: Sweep;
  readonly trial: Trial;
  readonly lease: Lease;
}

export interface EndedHow {
  readonly end: AttemptEnd;
  readonly early: boolean;
  readonly free: boolean;
}

/**
 * Releases the lease of an attempt that ends. The next attempt of the slot stays queued until the agent sends a message
 * that shows that it can start that attempt. The end of this attempt is not enough, because an attempt can end without
 * such a message, for example when it is lost or killed.
 */
export function releaseAttempt(
  core: Core,
  { sweep, trial, lease }: RunningAttempt,
  { end, early, free }: EndedHow,
  now: number,
): Change[] {
  const { startedAt = now } = lease.usage;
  const succeeded = end.outcome === 'succeeded';
  dropLease(core, sweep, trial, lease);
  endCurve(sweep, lease.key);
  if (end.outcome !== 'returned') lease.usage.ranUntil = now;
  const used = lease.usage.leases > 0 ? undefined : endSlotUsage(core, sweep, lease, end.outcome);
  const durationMs = end.outcome === 'returned' ? 0 : now - startedAt;
  recordDuration(sweep, trial, { ...lease, succeeded, durationMs });
  return [
    { kind: 'ended', key: lease.key, end, early, free, leasedMs: Math.max(0, durationMs), used },
    ...onProbeEnd(core, lease, end, now),
  ];
}

/** Cancels a trial that has not ended. The agents that run its attempts receive an order to stop them. */
export function cancelTrial(core: Core, sweep: Sweep, trial: Trial, detail: string, now: number): Step {
  withdrawSpeculativeOffer(sweep, trial);
  const leases = leasesOf(trial);
  const how = { end: { outcome: 'cancelled' }, early: false, free: false } as const;
  // The lease of the first attempt is released last. Otherwise, the results of the speculative attempt would become the
  // results of the trial.
  const released = leases.toReversed().flatMap((lease) => releaseAttempt(core, { sweep, trial, lease }, how, now));
  const cancelled = moveTrial(sweep, trial, 'cancelled', { detail });
  const forgotten = leases.flatMap(({ key }) => onAttemptEnd(sweep, trial, key, now));
  const refusal = { code: RefusalCode.ENDED, message: detail };
  const revocations = leases.map(({ agentId, key }) => ({ kind: 'revoke', agentId, key, refusal }) as const);
  return stepOf([...released, cancelled, ...forgotten], revocations);
}
