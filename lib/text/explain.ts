/** Formats explanations for `trawl explain` and the dashboard's explain view. */

import type {
  AgentReason,
  AgentVerdict,
  ExplainTrialResponse,
  Shortfall,
  WaitReason,
} from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { Attempt, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type FailureClassName, failureClass, trialState } from '../../proto/names.ts';
import { shownState } from '../domain/trial-state.ts';
import { didYouMean } from './did-you-mean.ts';
import { formatSpan } from './duration.ts';
import { countText } from './numbers.ts';
import { formatSize } from './size.ts';
import { firstLine } from './visible-text.ts';

/** The classes of failures that are never retried, because the same parameters give the same result. */
const NEVER_RETRIED: readonly FailureClassName[] = ['nan', 'rejected'];

/**
 * Returns the explanation as lines. Names in the lines are not escaped: before you print a line on a terminal, pass it
 * through `visibleText`.
 */
export function explainLines(explained: ExplainTrialResponse, now: number): string[] {
  const { trial, sinceMs, agents } = explained;
  if (trial === undefined) throw new Error('the coordinator answered without a trial');
  const span = formatSpan(Math.max(0, now - sinceMs));
  const since = sinceMs === 0 ? '' : trial.endedAtMs === 0 ? ` for ${span}` : ` ${span} ago`;
  const state = `trial ${trial.id} of sweep ${trial.sweepId}: ${shownState(trial.state)}${since}`;
  const lines = [state, ...[...originTexts(trial), ...explanationTexts(explained)].map((text) => `  ${text}`)];
  if (agents.length > 0) lines.push('agents:', ...agents.map((agent) => `  ${agentVerdictText(agent)}`));
  return lines;
}

/**
 * For a pending trial, returns one text for each reason why the trial waits and, if its last attempt failed, one text
 * about this failure. For any other trial, returns one text about its state.
 */
export function explanationTexts({ trial, reasons, lastAttempt }: ExplainTrialResponse): string[] {
  const state = trial === undefined ? undefined : trialState.of(trial.state);
  if (trial !== undefined && state !== 'pending' && state !== 'offered') return [outcomeText(trial, lastAttempt)];
  const texts = reasons.map(waitReasonText);
  const failure = lastAttempt?.failure;
  if (lastAttempt !== undefined && failure !== undefined) {
    const { number, agentId } = lastAttempt;
    texts.push(
      `attempt ${number} failed on ${agentId}: ${failureClass.of(failure.class)}: ${firstLine(failure.message)}`,
    );
  }
  return texts;
}

/** Whether the trial waits until a user acts or a suitable agent connects. */
export function isBlocking({ reason }: WaitReason): boolean {
  switch (reason?.$case) {
    case 'noCoordinator':
    case 'sweepPaused':
    case 'noAgent':
    case 'noEligibleAgent':
      return true;
    default:
      return false;
  }
}

export function waitReasonText({ reason }: WaitReason): string {
  switch (reason?.$case) {
    case 'noCoordinator':
      return 'no coordinator is running';
    case 'sweepPaused':
      return withReason('the sweep is paused', reason.sweepPaused.reason);
    case 'offered':
      return 'offered: it will run on the next suitable slot that becomes free';
    case 'backoff':
      return `will be retried in ${seconds(reason.backoff.remainingMs)}`;
    case 'concurrencyLimit': {
      const { limit, running, offered } = reason.concurrencyLimit;
      return `the sweep has reached its concurrency limit of ${limit} (${running} running, ${offered} offered)`;
    }
    case 'trialsAhead': {
      const { trials } = reason.trialsAhead;
      return `${trials === 1 ? '1 trial' : `${trials} trials`} of the sweep will run first`;
    }
    case 'higherPriority': {
      const { sweepId, priority, ownPriority, pendingTrials } = reason.higherPriority;
      const pending = `${pendingTrials} of its trials ${pendingTrials === 1 ? 'is' : 'are'} pending`;
      return `sweep ${sweepId} has higher priority (${priority}, this sweep ${ownPriority}); ${pending}`;
    }
    case 'sharedSlots': {
      const { sweepIds, percent } = reason.sharedSlots;
      const others = `${sweepIds.length === 1 ? 'sweep' : 'sweeps'} ${sweepIds.join(', ')}`;
      return `the sweep shares the slots with ${others}; its share by weight is ${percent}%`;
    }
    case 'noAgent':
      return 'no agent has connected yet';
    case 'noEligibleAgent':
      return 'no connected agent can run it';
    case 'slotsBusy':
      return 'every slot that can run it is busy';
    case undefined:
      return 'a reason that this version of trawl cannot display';
  }
}

/**
 * Describes a resource of a slot that does not meet a requirement of the sweep, such as `8 GiB of GPU memory (the sweep
 * requires 16 GiB)`.
 */
export function shortfallText({ kind }: Shortfall): string {
  switch (kind?.$case) {
    case 'trainer': {
      const { required, available } = kind.trainer;
      return `no trainer ${required} (available: ${available.join(', ') || 'none'})`;
    }
    case 'gpus': {
      const { required, available } = kind.gpus;
      const has = available === 0 ? 'no GPU' : available === 1 ? '1 GPU' : `${available} GPUs`;
      return `${has} (the sweep requires ${required === 0 ? 'none' : required})`;
    }
    case 'unusedGpu':
      return `GPU not used: the backend is ${kind.unusedGpu.backend} (run trawl doctor on that machine)`;
    case 'vram': {
      const { requiredBytes, availableBytes } = kind.vram;
      const available = availableBytes === 0 ? 'no GPU memory' : `${formatSize(availableBytes)} of GPU memory`;
      return `${available} (the sweep requires ${formatSize(requiredBytes)})`;
    }
    case 'label': {
      const { name, required, actual, names } = kind.label;
      if (actual !== undefined) return `label ${name} is ${actual} (the sweep requires ${required})`;
      return `no label ${name} (the sweep requires ${required})${didYouMean(name, names)}`;
    }
    case undefined:
      return 'a requirement that this version of trawl cannot display';
  }
}

/**
 * Describes a requirement that no agent meets, such as `no agent has 200 GiB of GPU memory`. Equal requirements have
 * equal texts.
 */
export function missingText({ kind }: Shortfall): string {
  switch (kind?.$case) {
    case 'trainer':
      return `no agent has the trainer ${kind.trainer.required}`;
    case 'gpus': {
      const { required } = kind.gpus;
      return `no agent has a slot ${required === 0 ? 'without GPUs' : `with ${countText(required, 'GPU')}`}`;
    }
    case 'unusedGpu':
      return 'no agent uses its GPU (run trawl doctor on the machines)';
    case 'vram':
      return `no agent has ${formatSize(kind.vram.requiredBytes)} of GPU memory`;
    case 'label':
      return `no agent has the label ${kind.label.name}=${kind.label.required}`;
    case undefined:
      return 'a requirement that this version of trawl cannot display';
  }
}

/** Returns a text such as `agent-1: no: no GPU (the sweep requires 1)`. */
export function agentVerdictText(verdict: AgentVerdict): string {
  const { agentId, fitSlots, freeSlots } = verdict;
  const reasons = verdict.reasons.map(agentReasonText);
  if (fitSlots === 0) return `${agentId}: no: ${reasons.join('; ')}`;
  const slots = fitSlots === 1 ? '1 slot' : `${fitSlots} slots`;
  const canRun = freeSlots > 0 ? `can run it: ${freeSlots} of ${slots} free` : `can run it in ${slots}`;
  return [`${agentId}: ${canRun}`, ...reasons].join('; ');
}

export function agentReasonText({ reason }: AgentReason): string {
  switch (reason?.$case) {
    case 'lost':
      return `lost: not heard from for ${seconds(reason.lost.silentMs)}`;
    case 'left':
      return `left ${seconds(reason.left.agoMs)} ago`;
    case 'leaving':
      return 'shutting down';
    case 'drained':
      return withReason('drained', reason.drained.reason);
    case 'unfit': {
      const { slots, shortfall } = reason.unfit;
      const text = shortfallText(shortfall ?? { kind: undefined });
      return slots.length === 0 ? text : `${slots.length === 1 ? 'slot' : 'slots'} ${slots.join(', ')}: ${text}`;
    }
    case 'busy':
      return reason.busy.allSlots ? 'all slots are busy' : 'the slots that can run it are busy';
    case 'quarantined': {
      const { reason: why, probeInMs } = reason.quarantined;
      const probe = probeInMs === 0 ? 'the next trial is a probe' : `next probe in ${seconds(probeInMs)}`;
      return `quarantined: ${why}; ${probe}`;
    }
    case 'suspect': {
      const { trials } = reason.suspect;
      return `no trials for now: ${trials} trials of the sweep failed early there and are retried elsewhere`;
    }
    case 'failedHere':
      return `the trial is retried elsewhere first, for at most ${seconds(reason.failedHere.remainingMs)}`;
    case undefined:
      return 'a reason that this version of trawl cannot display';
  }
}

function outcomeText(trial: Trial, last: Attempt | undefined): string {
  const attempt = last === undefined ? '' : `attempt ${last.number} on agent ${last.agentId}, slot ${last.slot}`;
  const state = trialState.of(trial.state);
  switch (state) {
    case 'running':
      return `running: ${attempt}; ${trial.epoch} ${trial.epoch === 1 ? 'epoch' : 'epochs'} reported`;
    case 'interrupted':
      return `interrupted: ${attempt}; no coordinator is running`;
    case 'held':
      return `waits without a slot for ${isMember(trial) ? 'the other members of its population' : 'its promotion'}: ${firstLine(trial.stopReason)}; ${attempt}`;
    case 'stopped':
      return `stopped early by ${firstLine(trial.stopReason)}; ${attempt}`;
    case 'failed': {
      const { failure } = trial;
      if (failure === undefined) return `failed: ${attempt}`;
      const name = failureClass.of(failure.class);
      const retries = NEVER_RETRIED.includes(name) ? `${name} is never retried` : 'retries used up';
      return `failed: ${attempt}: ${name}: ${firstLine(failure.message)}; ${retries}`;
    }
    case 'cancelled':
      return `cancelled${attempt === '' ? ' before it ran' : `: ${attempt}`}`;
    default:
      return `${state}: ${attempt}`;
  }
}

function originTexts({ origin }: Trial): string[] {
  if (origin === undefined) return [];
  const { parent, epoch, replaces } = origin;
  return [`started from the checkpoint of trial ${parent} after epoch ${epoch}, and replaces trial ${replaces}`];
}

/** Whether the trial is a member of a population (`method: pbt`), and waits for the other members or was replaced. */
function isMember({ stopReason }: Trial): boolean {
  return stopReason.startsWith('pbt: ');
}

function withReason(text: string, reason: string): string {
  return reason === '' ? text : `${text}: ${reason}`;
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.round(ms / 100) / 10)} s`;
}
