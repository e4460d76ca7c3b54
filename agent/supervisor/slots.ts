/**
 * Decides what the agent does with its slots. Each function takes the slots and one event, updates the slots, and
 * returns the effects that the agent carries out. There is no I/O in this file.
 *
 * A slot is `starting` (its worker process is not ready), `idle`, `claiming` (it has asked for the lease of an offered
 * attempt), or `running` one attempt or a pack. Each attempt of a pack ends independently. The slot is idle after the
 * last attempt has ended.
 */
import { sameAttempt } from '../../lib/domain/attempt-key.ts';
import type { AttemptKey, Grant, Refusal } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import type { PythonInterpreter, PythonPackages } from '../machine/python-environments.ts';
import type { NoticeKind } from '../trainers/trainer.ts';
import type { FromWorker, KeptFile } from '../worker/ipc.ts';

/**
 * The first characters of an attempt's log, up to this number, are sent immediately. The rest is kept back. When the
 * attempt ends, the last LOG_TAIL_CHARACTERS of the rest are sent.
 */
export const LOG_HEAD_CHARACTERS = 200_000;
export const LOG_TAIL_CHARACTERS = 800_000;
const LOG_RECORD_CHARACTERS = 100_000;

/** Identifies the NATS message of an offer. */
export type OfferToken = number;

export type Slot =
  | { readonly state: 'starting' | 'idle' }
  | { readonly state: 'claiming'; readonly key: AttemptKey; readonly offer: OfferToken }
  | { readonly state: 'running'; attempts: readonly SlotAttempt[] };

interface SlotAttempt {
  readonly key: AttemptKey;
  /** The sequence number of the attempt's newest record. */
  seq: number;
  /** The number of characters of the attempt's log so far. */
  logCharacters: number;
  /** The last characters of the log, without the head of the log. They are sent when the attempt ends. */
  logTail: string;
  /**
   * The reason why the attempt is being stopped. Undefined if it is not being stopped. No records of a dismissed
   * attempt are written, because the coordinator rejects them. An attempt that was stopped by a rule still sends its
   * log and its artifacts. An attempt that is handed back, because of a drain or a suspension of the agent, still sends
   * reports and ends as drained.
   */
  stopping: 'dismissed' | 'stopped by a rule' | 'drained' | 'suspended' | undefined;
}

export interface Granted {
  readonly key: AttemptKey;
  readonly grant: Grant;
}

/**
 * The command and the packages with which an attempt's program was started. The strings about Python are empty until
 * they are known, and stay empty if the program does not run in Python.
 */
export interface StartedProgram extends PythonPackages {
  readonly command: readonly string[];
}

export type RecordBody =
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'artifact'; readonly file: KeptFile }
  | { readonly kind: 'notice'; readonly warning: NoticeKind; readonly message: string; readonly count: number }
  | { readonly kind: 'program'; readonly program: StartedProgram }
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly class: FailureClassName; readonly message: string };

export type SlotEffect =
  | { readonly kind: 'claim'; readonly slot: number; readonly key: AttemptKey }
  /** Acknowledges the offer, so that NATS does not redeliver it. */
  | { readonly kind: 'acknowledge'; readonly offer: OfferToken }
  /** Returns the offer to the queue for another agent. */
  | { readonly kind: 'return'; readonly offer: OfferToken }
  | { readonly kind: 'run'; readonly slot: number; readonly granted: readonly Granted[] }
  /** Stops an attempt. With `keepFiles`, the files that its program wrote are kept. */
  | { readonly kind: 'stop'; readonly slot: number; readonly key: AttemptKey; readonly keepFiles?: true }
  /** Lists the packages of an interpreter (see `onPackages`). */
  | {
      readonly kind: 'list packages';
      readonly key: AttemptKey;
      readonly program: StartedProgram;
      readonly interpreter: PythonInterpreter;
    }
  /** Starts a new worker for the slot. */
  | { readonly kind: 'restart'; readonly slot: number }
  /** The attempt has ended on this agent. The attempt's folder can be removed once its records are acknowledged. */
  | { readonly kind: 'finished'; readonly key: AttemptKey }
  | { readonly kind: 'record'; readonly key: AttemptKey; readonly seq: number; readonly body: RecordBody };

const REFUSALS_WITH_VALID_OFFER: ReadonlySet<RefusalCode> = new Set([
  RefusalCode.DRAINED,
  RefusalCode.UNFIT,
  RefusalCode.OUTRANKED,
  RefusalCode.AVOIDED,
  RefusalCode.SLOT_FULL,
]);

/** The message of the last record of an attempt whose trial a rule has stopped. */
export const STOPPED_BY_RULE = 'a rule of the sweep stopped the trial';

export function newSlots(count: number): Slot[] {
  return Array.from({ length: count }, () => ({ state: 'starting' }));
}

/** Counts the idle slots for which `isEligible` returns true. */
export function idleSlots(slots: readonly Slot[], isEligible: (slot: number) => boolean): number {
  return slots.filter((slot, at) => slot.state === 'idle' && isEligible(at)).length;
}

/** Returns the attempts whose leases the agent's heartbeats renew. */
export function heldAttempts(slots: readonly Slot[]): AttemptKey[] {
  return slots
    .flatMap(attemptsOf)
    .flatMap(({ key, stopping }) => (stopping === 'dismissed' || stopping === 'stopped by a rule' ? [] : [key]));
}

/** Returns the attempts with a claim in progress. The coordinator may already have granted their leases. */
export function claimedAttempts(slots: readonly Slot[]): AttemptKey[] {
  return slots.flatMap((slot) => (slot.state === 'claiming' ? [slot.key] : []));
}

/** Returns whether no slot runs or claims an attempt. */
export function areSlotsIdle(slots: readonly Slot[]): boolean {
  return slots.every(({ state }) => state === 'idle' || state === 'starting');
}

/** Returns whether a program is still running although a rule has stopped its trial. */
export function hasStoppedPrograms(slots: readonly Slot[]): boolean {
  return slots.flatMap(attemptsOf).some(({ stopping }) => stopping === 'stopped by a rule');
}

/** Returns whether the slot runs this attempt and has not been asked to stop it. */
export function isHeld(slot: Slot | undefined, key: AttemptKey): boolean {
  return attemptsOf(slot).some((attempt) => sameAttempt(attempt.key, key) && attempt.stopping === undefined);
}

function attemptsOf(slot: Slot | undefined): readonly SlotAttempt[] {
  return slot?.state === 'running' ? slot.attempts : [];
}

function attemptOf(slot: Slot | undefined, key: AttemptKey): SlotAttempt | undefined {
  return attemptsOf(slot).find((attempt) => sameAttempt(attempt.key, key));
}

/** @param isEligible returns whether a slot may run the offered attempt */
export function onOffer(
  slots: Slot[],
  key: AttemptKey,
  offer: OfferToken,
  isEligible: (slot: number) => boolean = () => true,
): SlotEffect[] {
  const isKnown = (slot: Slot) =>
    slot.state === 'claiming' ? sameAttempt(slot.key, key) : attemptOf(slot, key) !== undefined;
  if (slots.some(isKnown)) return [{ kind: 'acknowledge', offer }];
  const free = slots.findIndex((slot, at) => slot.state === 'idle' && isEligible(at));
  if (free === -1) return [{ kind: 'return', offer }];
  slots[free] = { state: 'claiming', key, offer };
  return [{ kind: 'claim', slot: free, key }];
}

/**
 * The answer of the coordinator to a claim. `mates` are the attempts that run together with the claimed attempt as a
 * pack.
 */
export type ClaimDecision =
  | { readonly grant: Grant; readonly mates: readonly Granted[] }
  | { readonly refusal: Refusal };

/**
 * Handles the coordinator's answer to a claim. The answer is ignored when the slot no longer claims the attempt.
 * @returns `retry` if the coordinator has no session of the agent yet; the agent must then repeat the claim
 */
export function onDecision(
  slots: Slot[],
  at: number,
  key: AttemptKey,
  decision: ClaimDecision,
): SlotEffect[] | 'retry' {
  const slot = slots[at];
  if (slot?.state !== 'claiming' || !sameAttempt(slot.key, key)) return [];
  if ('refusal' in decision) {
    if (decision.refusal.code === RefusalCode.NO_SESSION) return 'retry';
    slots[at] = { state: 'idle' };
    const isOfferValid = REFUSALS_WITH_VALID_OFFER.has(decision.refusal.code);
    return [{ kind: isOfferValid ? 'return' : 'acknowledge', offer: slot.offer }];
  }
  const granted = [{ key: slot.key, grant: decision.grant }, ...decision.mates];
  const attempts = granted.map(
    ({ key }): SlotAttempt => ({ key, seq: 0, logCharacters: 0, logTail: '', stopping: undefined }),
  );
  slots[at] = { state: 'running', attempts };
  return [
    { kind: 'acknowledge', offer: slot.offer },
    { kind: 'run', slot: at, granted },
  ];
}

/** Ends an attempt that could not be handed to its worker. */
export function onPreflightFailure(slots: Slot[], at: number, key: AttemptKey, message: string): SlotEffect[] {
  if (!isHeld(slots[at], key)) return [];
  return end(slots, at, key, { kind: 'failed', class: 'preflight', message });
}

export function onWorkerMessage(slots: Slot[], at: number, message: FromWorker): SlotEffect[] {
  const slot = slots[at];
  switch (message.kind) {
    case 'ready':
      if (slot?.state === 'starting') slots[at] = { state: 'idle' };
      return [];
    case 'stopped': {
      const attempt = attemptOf(slot, message.key);
      return attempt?.stopping === undefined ? [] : [...handBack(attempt), ...remove(slots, at, message.key)];
    }
    case 'unfit':
    case 'dataset':
      return [];
    case 'report':
      return record(attemptOf(slot, message.key), { kind: 'report', epoch: message.epoch, metrics: message.metrics });
    case 'artifact':
      return record(attemptOf(slot, message.key), { kind: 'artifact', file: message.artifact });
    case 'notice': {
      const { warning, message: text, count } = message;
      return record(attemptOf(slot, message.key), { kind: 'notice', warning, message: text, count });
    }
    case 'program': {
      const { key, command, interpreter } = message;
      const program = { command, interpreter: interpreter?.path ?? '', python: '', packages: '' };
      const started = record(attemptOf(slot, key), { kind: 'program', program });
      const isListed = started.length > 0 && interpreter !== undefined;
      return isListed ? [...started, { kind: 'list packages', key, program, interpreter }] : started;
    }
    case 'done':
      return end(slots, at, message.key, { kind: 'succeeded' });
    case 'failed':
      return end(slots, at, message.key, { kind: 'failed', class: message.class, message: message.message });
  }
}

/** Records the packages of an attempt's program, unless the attempt has ended in the meantime. */
export function onPackages(slots: Slot[], key: AttemptKey, program: StartedProgram): SlotEffect[] {
  const slot = slots.find((one) => attemptOf(one, key) !== undefined);
  return record(attemptOf(slot, key), { kind: 'program', program });
}

/**
 * Adds a worker's output to the logs of all attempts that the worker runs, because the output does not identify an
 * attempt.
 */
export function onWorkerLog(slots: Slot[], at: number, text: string): SlotEffect[] {
  return attemptsOf(slots[at]).flatMap((attempt) => {
    const head = text.slice(0, Math.max(0, LOG_HEAD_CHARACTERS - attempt.logCharacters));
    attempt.logCharacters += text.length;
    attempt.logTail += text.slice(head.length);
    // The text is truncated only rarely, so that the cost per character is constant.
    if (attempt.logTail.length > 2 * LOG_TAIL_CHARACTERS) attempt.logTail = attempt.logTail.slice(-LOG_TAIL_CHARACTERS);
    return head === '' ? [] : record(attempt, { kind: 'log', text: head });
  });
}

function logTail(attempt: SlotAttempt): SlotEffect[] {
  const text = attempt.logTail.slice(-LOG_TAIL_CHARACTERS);
  const missing = attempt.logCharacters - LOG_HEAD_CHARACTERS - text.length;
  const note = missing > 0 ? `\n[trawl] ${missing} characters of the log are missing here\n` : '';
  attempt.logTail = '';
  const effects: SlotEffect[] = [];
  for (let rest = `${note}${text}`; rest !== ''; rest = rest.slice(LOG_RECORD_CHARACTERS)) {
    effects.push(...record(attempt, { kind: 'log', text: rest.slice(0, LOG_RECORD_CHARACTERS) }));
  }
  return effects;
}

/** @param how the way in which the process ended, such as `was killed by SIGKILL` or `exited with code 1` */
export function onWorkerExit(slots: Slot[], at: number, how: string): SlotEffect[] {
  const slot = slots[at];
  const effects: SlotEffect[] = slot?.state === 'claiming' ? [{ kind: 'return', offer: slot.offer }] : [];
  for (const attempt of attemptsOf(slot)) {
    const crash: RecordBody = { kind: 'failed', class: 'crash', message: `the worker process ${how}` };
    effects.push(
      ...(attempt.stopping === undefined ? [...logTail(attempt), ...record(attempt, crash)] : handBack(attempt)),
    );
    effects.push({ kind: 'finished', key: attempt.key });
  }
  slots[at] = { state: 'starting' };
  return [...effects, { kind: 'restart', slot: at }];
}

/** Stops an attempt whose records the coordinator no longer accepts. */
export function onDismissed(slots: Slot[], key: AttemptKey): SlotEffect[] {
  const at = slots.findIndex((slot) => attemptOf(slot, key) !== undefined);
  const attempt = attemptOf(slots[at], key);
  if (attempt === undefined || attempt.stopping === 'dismissed') return [];
  const isStopping = attempt.stopping !== undefined;
  attempt.stopping = 'dismissed';
  return isStopping ? [] : [{ kind: 'stop', slot: at, key }];
}

/** Stops an attempt whose trial a rule has stopped. The attempt still sends its log and its artifacts. */
export function onStoppedByRule(slots: Slot[], key: AttemptKey): SlotEffect[] {
  const at = slots.findIndex((slot) => attemptOf(slot, key) !== undefined);
  const attempt = attemptOf(slots[at], key);
  if (attempt === undefined || attempt.stopping !== undefined) return [];
  attempt.stopping = 'stopped by a rule';
  return [{ kind: 'stop', slot: at, key, keepFiles: true }];
}

/** Stops and hands back the attempts that still run when the grace period of a drain expires. */
export function onGraceExpired(slots: Slot[]): SlotEffect[] {
  return slots.flatMap((slot, at) =>
    attemptsOf(slot).flatMap((attempt): SlotEffect[] => {
      if (attempt.stopping !== undefined) return [];
      attempt.stopping = 'drained';
      return [{ kind: 'stop', slot: at, key: attempt.key }];
    }),
  );
}

/**
 * Stops the running attempts after the agent was suspended for longer than their leases, because the coordinator may
 * run their trials elsewhere. The attempts are handed back. If the coordinator has not ended the lease of an
 * attempt yet, its trial becomes pending as soon as the attempt is handed back. The slots drop their claims, because
 * the lease of a claim can expire before the grant arrives.
 */
export function onSuspended(slots: Slot[]): SlotEffect[] {
  return slots.flatMap((slot, at): SlotEffect[] => {
    if (slot.state === 'claiming') {
      slots[at] = { state: 'idle' };
      return [{ kind: 'return', offer: slot.offer }];
    }
    return attemptsOf(slot).flatMap((attempt): SlotEffect[] => {
      if (attempt.stopping !== undefined) return [];
      attempt.stopping = 'suspended';
      return [{ kind: 'stop', slot: at, key: attempt.key }];
    });
  });
}

/**
 * Hands back all running attempts as drained, and returns the claimed offers to the queue. The retry budgets of the
 * trials are not used.
 */
export function onShutdown(slots: Slot[]): SlotEffect[] {
  return slots.flatMap((slot, at): SlotEffect[] => {
    const effects = attemptsOf(slot).flatMap(handBack);
    if (slot.state === 'claiming') effects.push({ kind: 'return', offer: slot.offer });
    slots[at] = { state: 'starting' };
    return effects;
  });
}

function end(slots: Slot[], at: number, key: AttemptKey, body: RecordBody): SlotEffect[] {
  const attempt = attemptOf(slots[at], key);
  // A dismissed attempt leaves its slot only when the worker reports it as stopped.
  if (attempt === undefined || attempt.stopping === 'dismissed') return [];
  return [...logTail(attempt), ...record(attempt, body), ...remove(slots, at, key)];
}

function remove(slots: Slot[], at: number, key: AttemptKey): SlotEffect[] {
  const attempts = attemptsOf(slots[at]).filter((attempt) => !sameAttempt(attempt.key, key));
  slots[at] = attempts.length === 0 ? { state: 'idle' } : { state: 'running', attempts };
  return [{ kind: 'finished', key }];
}

/**
 * Ends an attempt as drained. The trial's next attempt resumes from the last checkpoint that was uploaded or spooled.
 */
function handBack(attempt: SlotAttempt): SlotEffect[] {
  return [
    ...logTail(attempt),
    ...record(attempt, {
      kind: 'failed',
      class: 'drained',
      message:
        attempt.stopping === 'suspended'
          ? 'the agent was suspended for longer than the lease of the attempt'
          : attempt.stopping === 'stopped by a rule'
            ? STOPPED_BY_RULE
            : 'the agent was drained',
    }),
  ];
}

function record(attempt: SlotAttempt | undefined, body: RecordBody): SlotEffect[] {
  if (attempt === undefined || attempt.stopping === 'dismissed') return [];
  if (body.kind === 'report' && attempt.stopping === 'stopped by a rule') return [];
  attempt.seq += 1;
  return [{ kind: 'record', key: attempt.key, seq: attempt.seq, body }];
}
