/**
 * Decides what the agent does with its slots. Each function takes the slots and one event, updates the slots, and
 * returns the effects that the agent carries out. There is no I/O in this file.
 *
 * A slot runs one attempt or a pack. Each attempt of a pack ends independently. The slot can also have a queue of
 * attempts and packs. When the last running attempt has ended, the slot immediately starts the oldest attempt or pack
 * of its queue. A queued attempt that cannot start soon is returned to the coordinator, and its trial runs elsewhere.
 */
import { sameAttempt } from '../../lib/domain/attempt-key.ts';
import type { AttemptKey, Grant, Refusal } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FromWorker } from '../worker/ipc.ts';
import { type AttemptLog, addOutput, newAttemptLog, startLog, takeTail } from './attempt-log.ts';
import type { Granted, OfferToken, RecordBody, SlotEffect, StartedProgram } from './slot-effects.ts';

/** A queued attempt or pack is returned after this time, in milliseconds, so that it does not wait for a long trial. */
export const MAX_QUEUED_MS = 1_000;

export interface Slot {
  /** Whether the slot's worker accepts attempts. */
  isReady: boolean;
  /** The attempts that the worker runs, or that are being handed to the worker: none, one, or a pack. */
  attempts: readonly SlotAttempt[];
  /** The number of times that the slot has begun to hand attempts to its worker. */
  starts: number;
  /** The granted attempts and packs that have not started, in the order of their grants. */
  queue: readonly QueuedPack[];
  /** The offered attempts whose leases the slot has requested. */
  claims: readonly ClaimedOffer[];
  /** The number of attempts or packs that may be queued, as stated in the newest grant. */
  prefetch: number;
  /**
   * Whether queued attempts were returned because they waited too long. The slot then takes no further offers until its
   * running attempts have ended.
   */
  isSlow: boolean;
}

interface ClaimedOffer {
  readonly key: AttemptKey;
  readonly offer: OfferToken;
}

interface QueuedPack {
  readonly granted: readonly Granted[];
  /** The time of the grant, as passed to `onDecision`. */
  readonly since: number;
}

interface SlotAttempt {
  readonly key: AttemptKey;
  /** The queue entry that contained the attempt before it was handed to the worker. */
  readonly pack: QueuedPack;
  readonly log: AttemptLog;
  /** The sequence number of the attempt's newest record. */
  seq: number;
  /**
   * The reason why the attempt is being stopped. Undefined if it is not being stopped. No records of a dismissed
   * attempt are written, because the coordinator rejects them. An attempt that was stopped by a rule still sends its
   * log and its artifacts. An attempt with the reason `drained` or `suspended` is handed back. Until it has stopped, it
   * still sends reports. It ends as drained, unless it completes before it is stopped.
   */
  stopping: 'dismissed' | 'stopped by a rule' | 'drained' | 'suspended' | undefined;
}

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
  return Array.from({ length: count }, () => ({
    isReady: false,
    attempts: [],
    starts: 0,
    queue: [],
    claims: [],
    prefetch: 0,
    isSlow: false,
  }));
}

/**
 * Returns the number of offers that the eligible slots can take now. A slot asks for offers only when it can take more
 * than `prefetch / 2` of them, because one request for several offers needs fewer messages.
 * @param isEligible returns whether a slot may take offers
 */
export function wantedOffers(slots: readonly Slot[], isEligible: (slot: number) => boolean): number {
  let wanted = 0;
  for (const [at, slot] of slots.entries()) {
    const room = roomOf(slot);
    if (room > 0 && 2 * room > slot.prefetch && isEligible(at)) wanted += room;
  }
  return wanted;
}

/** Returns the number of attempts or packs that the slot can take in addition to those that it holds or has requested. */
function roomOf({ isReady, isSlow, prefetch, ...slot }: Slot): number {
  if (!isReady) return 0;
  return Math.max(0, 1 + (isSlow ? 0 : prefetch) - loadOf(slot));
}

/** Returns the number of attempts or packs that the slot holds or has requested. */
function loadOf({ attempts, queue, claims }: Pick<Slot, 'attempts' | 'queue' | 'claims'>): number {
  return Math.min(1, attempts.length) + queue.length + claims.length;
}

/** Returns the attempts whose leases the agent's heartbeats renew. */
export function heldAttempts(slots: readonly Slot[]): AttemptKey[] {
  return slots.flatMap(({ attempts, queue }) => [
    ...attempts.flatMap(({ key, stopping }) =>
      stopping === 'dismissed' || stopping === 'stopped by a rule' ? [] : [key],
    ),
    ...queue.flatMap(({ granted }) => granted.map(({ key }) => key)),
  ]);
}

/** Returns the attempts with a claim in progress. The coordinator may already have granted their leases. */
export function claimedAttempts(slots: readonly Slot[]): AttemptKey[] {
  return slots.flatMap(({ claims }) => claims.map(({ key }) => key));
}

/** Returns the offer of an attempt while the slot's claim of the attempt is unanswered; otherwise undefined. */
export function claimedOffer(slot: Slot | undefined, key: AttemptKey): OfferToken | undefined {
  return slot?.claims.find((claim) => sameAttempt(claim.key, key))?.offer;
}

/** Returns whether no slot runs, holds or claims an attempt. */
export function areSlotsIdle(slots: readonly Slot[]): boolean {
  return slots.every((slot) => loadOf(slot) === 0);
}

/** Returns whether every slot runs an attempt or has one in its queue. */
export function areSlotsBusy(slots: readonly Slot[]): boolean {
  return slots.every(({ attempts, queue }) => attempts.length + queue.length > 0);
}

/** Returns whether a slot has queued attempts. */
export function hasQueue(slots: readonly Slot[]): boolean {
  return slots.some(({ queue }) => queue.length > 0);
}

/** Returns whether a program is still running although a rule has stopped its trial. */
export function hasStoppedPrograms(slots: readonly Slot[]): boolean {
  return slots.flatMap(attemptsOf).some(({ stopping }) => stopping === 'stopped by a rule');
}

/**
 * Returns whether the slot still holds an attempt, and is not stopping it.
 * @param start the value of `starts` when the slot began to hand the attempt to its worker. If `starts` has increased
 * since then, the function returns false.
 */
export function isHeld(slot: Slot | undefined, start: number, key: AttemptKey): boolean {
  const attempt = attemptOf(slot, key);
  return slot?.starts === start && attempt !== undefined && attempt.stopping === undefined;
}

function attemptsOf(slot: Slot | undefined): readonly SlotAttempt[] {
  return slot?.attempts ?? [];
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
    claimedOffer(slot, key) !== undefined || attemptOf(slot, key) !== undefined || isQueuedIn(slot, key);
  if (slots.some(isKnown)) return [{ kind: 'acknowledge', offer }];
  let free: { readonly at: number; readonly slot: Slot } | undefined;
  for (const [at, slot] of slots.entries()) {
    if (roomOf(slot) === 0 || !isEligible(at)) continue;
    if (free === undefined || loadOf(slot) < loadOf(free.slot)) free = { at, slot };
  }
  if (free === undefined) return [{ kind: 'return', offer }];
  free.slot.claims = [...free.slot.claims, { key, offer }];
  return [{ kind: 'claim', slot: free.at, key }];
}

function isQueuedIn({ queue }: Slot, key: AttemptKey): boolean {
  return queue.some(({ granted }) => granted.some((one) => sameAttempt(one.key, key)));
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
 * @param now the time in milliseconds, from any monotonic clock
 * @param isTaking whether the agent takes new trials. If not, for example during a shutdown, granted attempts are
 * returned without being started
 * @returns `retry` if the coordinator has no session of the agent yet; the agent must then repeat the claim
 */
export function onDecision(
  slots: Slot[],
  at: number,
  key: AttemptKey,
  decision: ClaimDecision,
  now: number,
  isTaking = true,
): SlotEffect[] | 'retry' {
  const slot = slots[at];
  const offer = claimedOffer(slot, key);
  if (slot === undefined || offer === undefined) return [];
  if ('refusal' in decision && decision.refusal.code === RefusalCode.NO_SESSION) return 'retry';
  slot.claims = slot.claims.filter((claim) => claim.offer !== offer);
  if ('refusal' in decision) {
    const isOfferValid = REFUSALS_WITH_VALID_OFFER.has(decision.refusal.code);
    return [{ kind: isOfferValid ? 'return' : 'acknowledge', offer }];
  }
  const granted = [{ key, grant: decision.grant }, ...decision.mates].filter(
    (one) => attemptOf(slot, one.key) === undefined && !isQueuedIn(slot, one.key),
  );
  const acknowledged: SlotEffect[] = [{ kind: 'acknowledge', offer }, ...dropClaimsOf(slot, granted)];
  if (!isTaking) return [...acknowledged, ...granted.flatMap(returned)];
  if (granted.length > 0) slot.queue = [...slot.queue, { granted, since: now }];
  slot.prefetch = decision.grant.prefetch;
  return [...acknowledged, ...startNext(slot, at)];
}

/**
 * Drops the claims of attempts that the coordinator has granted as members of a pack. The coordinator answers these claims
 * with the same pack, which must not be queued twice.
 */
function dropClaimsOf(slot: Slot, granted: readonly Granted[]): SlotEffect[] {
  const answered = slot.claims.filter((claim) => granted.some(({ key }) => sameAttempt(key, claim.key)));
  slot.claims = slot.claims.filter((claim) => !answered.includes(claim));
  return answered.map(({ offer }) => ({ kind: 'acknowledge', offer }));
}

/** Starts the oldest queued attempt or pack if the slot runs nothing. */
function startNext(slot: Slot, at: number): SlotEffect[] {
  const [next, ...queue] = slot.queue;
  if (!slot.isReady || slot.attempts.length > 0) return [];
  slot.isSlow = false;
  if (next === undefined) return [];
  slot.queue = queue;
  slot.starts += 1;
  slot.attempts = next.granted.map(
    ({ key }): SlotAttempt => ({
      key,
      pack: next,
      log: newAttemptLog(),
      seq: 0,
      stopping: undefined,
    }),
  );
  return [{ kind: 'run', slot: at, start: slot.starts, granted: next.granted }];
}

/** Handles an order of the coordinator to return attempts. Attempts that have started are not affected. */
export function onReturnOrder(slots: Slot[], keys: readonly AttemptKey[]): SlotEffect[] {
  return returnQueued(slots, ({ key }) => keys.some((one) => sameAttempt(one, key)));
}

/**
 * Returns queued attempts to the coordinator after they have waited for MAX_QUEUED_MS. Their slots then take no further
 * offers until the running attempts of the slots have ended.
 */
export function onWaited(slots: Slot[], now: number): SlotEffect[] {
  const isOverdue = ({ since }: QueuedPack) => now - since >= MAX_QUEUED_MS;
  for (const slot of slots) if (slot.queue.some(isOverdue)) slot.isSlow = true;
  return returnQueued(slots, (_, pack) => isOverdue(pack));
}

/** Returns all queued attempts to the coordinator, because the agent takes no new trials. */
export function returnAllQueued(slots: Slot[]): SlotEffect[] {
  return returnQueued(slots, () => true);
}

function returnQueued(slots: Slot[], isReturned: (granted: Granted, pack: QueuedPack) => boolean): SlotEffect[] {
  const effects: SlotEffect[] = [];
  for (const slot of slots) {
    if (slot.queue.length === 0) continue;
    slot.queue = slot.queue.flatMap((pack) => {
      const kept = pack.granted.filter((one) => !isReturned(one, pack));
      for (const one of pack.granted) if (!kept.includes(one)) effects.push(...returned(one));
      return kept.length === 0 ? [] : [{ ...pack, granted: kept }];
    });
  }
  return effects;
}

function returned({ key }: Granted): SlotEffect[] {
  return [
    { kind: 'record', key, seq: 1, body: { kind: 'returned' } },
    { kind: 'finished', key },
  ];
}

/** Ends an attempt that could not be handed to its worker. */
export function onPreflightFailure(
  slots: Slot[],
  at: number,
  start: number,
  key: AttemptKey,
  message: string,
): SlotEffect[] {
  if (!isHeld(slots[at], start, key)) return [];
  return end(slots, at, key, { kind: 'failed', class: 'preflight', message });
}

export function onWorkerMessage(slots: Slot[], at: number, message: FromWorker): SlotEffect[] {
  const slot = slots[at];
  switch (message.kind) {
    case 'ready':
      if (slot === undefined) return [];
      slot.isReady = true;
      return startNext(slot, at);
    case 'stopped': {
      const attempt = attemptOf(slot, message.key);
      return attempt?.stopping === undefined ? [] : [...handBack(attempt), ...remove(slots, at, message.key)];
    }
    case 'started':
      return message.keys.flatMap((key) => onStarted(attemptOf(slot, key)));
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
    case 'log': {
      const attempt = attemptOf(slot, message.key);
      return attempt === undefined ? [] : recordLog(attempt, [addOutput(attempt.log, message.text)]);
    }
    case 'done':
      return end(slots, at, message.key, { kind: 'succeeded' });
    case 'failed':
      return end(slots, at, message.key, { kind: 'failed', class: message.class, message: message.message });
    default:
      // If trawl's files were replaced while the agent runs, a worker of a newer version can send messages of a kind
      // that this agent does not know.
      return [];
  }
}

function onStarted(attempt: SlotAttempt | undefined): SlotEffect[] {
  return attempt === undefined ? [] : recordLog(attempt, [startLog(attempt.log)]);
}

/** Records the packages of an attempt's program, unless the attempt has ended in the meantime. */
export function onPackages(slots: Slot[], key: AttemptKey, program: StartedProgram): SlotEffect[] {
  const slot = slots.find((one) => attemptOf(one, key) !== undefined);
  return record(attemptOf(slot, key), { kind: 'program', program });
}

/**
 * Adds a worker's output to the logs of all attempts that the worker runs, because the output does not identify an
 * attempt. Output that is printed before an attempt has started is kept back until the start, because an attempt must
 * have no records before its start.
 */
export function onWorkerLog(slots: Slot[], at: number, text: string): SlotEffect[] {
  return attemptsOf(slots[at]).flatMap((attempt) => recordLog(attempt, [addOutput(attempt.log, text)]));
}

function logTail(attempt: SlotAttempt): SlotEffect[] {
  return recordLog(attempt, takeTail(attempt.log));
}

function recordLog(attempt: SlotAttempt, texts: readonly string[]): SlotEffect[] {
  return texts.flatMap((text) => (text === '' ? [] : record(attempt, { kind: 'log', text })));
}

/**
 * Ends the attempts that the worker has started, and the attempts that are being stopped. The other attempts return to
 * the front of the queue, because they did not cause the exit.
 * @param how the way in which the process ended, such as `was killed by SIGKILL` or `exited with code 1`
 * @param isShared whether a program of another slot may have caused the exit. If so, the retry budget of the trial is not
 * used. Default: false
 */
export function onWorkerExit(slots: Slot[], at: number, how: string, isShared = false): SlotEffect[] {
  const slot = slots[at];
  const effects: SlotEffect[] = [];
  const unstarted = attemptsOf(slot).filter(({ log, stopping }) => !log.isStarted && stopping === undefined);
  for (const attempt of attemptsOf(slot)) {
    if (unstarted.includes(attempt)) continue;
    const crash: RecordBody = isShared
      ? {
          kind: 'failed',
          class: 'drained',
          message: `the worker process, which also ran programs of other slots, ${how}`,
        }
      : { kind: 'failed', class: 'crash', message: `the worker process ${how}` };
    effects.push(
      ...(attempt.stopping === undefined ? [...logTail(attempt), ...record(attempt, crash)] : handBack(attempt)),
    );
    effects.push({ kind: 'finished', key: attempt.key });
  }
  if (slot !== undefined) {
    slot.isReady = false;
    slot.attempts = [];
    const [first] = unstarted;
    if (first !== undefined) {
      const isUnstarted = ({ key }: Granted) => unstarted.some((attempt) => sameAttempt(attempt.key, key));
      slot.queue = [{ ...first.pack, granted: first.pack.granted.filter(isUnstarted) }, ...slot.queue];
    }
  }
  return [...effects, { kind: 'restart', slot: at }];
}

/** Stops an attempt whose records the coordinator no longer accepts. A queued attempt is discarded. */
export function onDismissed(slots: Slot[], key: AttemptKey): SlotEffect[] {
  const queuedIn = slots.find((slot) => isQueuedIn(slot, key));
  if (queuedIn !== undefined) {
    queuedIn.queue = queuedIn.queue.flatMap((pack) => {
      const granted = pack.granted.filter((one) => !sameAttempt(one.key, key));
      return granted.length === 0 ? [] : [{ ...pack, granted }];
    });
    return [{ kind: 'finished', key }];
  }
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
 * run their trials elsewhere. The attempts are handed back, and queued attempts are returned. If the coordinator has
 * not ended the lease of an attempt yet, the attempt's trial becomes pending as soon as the attempt is handed back. The
 * slots drop their claims, because a lease can be granted and expire before the grant arrives.
 */
export function onSuspended(slots: Slot[]): SlotEffect[] {
  const stopped = slots.flatMap((slot, at): SlotEffect[] => {
    return attemptsOf(slot).flatMap((attempt): SlotEffect[] => {
      if (attempt.stopping !== undefined) return [];
      attempt.stopping = 'suspended';
      return [{ kind: 'stop', slot: at, key: attempt.key }];
    });
  });
  return [...stopped, ...returnAllQueued(slots), ...dropClaims(slots)];
}

/**
 * Hands back all running attempts as drained, returns the queued attempts, and returns the claimed offers to NATS. The
 * retry budgets of the trials are not used.
 */
export function onShutdown(slots: Slot[]): SlotEffect[] {
  const handedBack = slots.flatMap(({ attempts }) => attempts.flatMap(handBack));
  const effects = [...handedBack, ...returnAllQueued(slots), ...dropClaims(slots)];
  for (const slot of slots) {
    slot.isReady = false;
    slot.attempts = [];
  }
  return effects;
}

function dropClaims(slots: Slot[]): SlotEffect[] {
  return slots.flatMap((slot) => {
    const { claims } = slot;
    slot.claims = [];
    return claims.map(({ offer }): SlotEffect => ({ kind: 'return', offer }));
  });
}

function end(slots: Slot[], at: number, key: AttemptKey, body: RecordBody): SlotEffect[] {
  const attempt = attemptOf(slots[at], key);
  // A dismissed attempt leaves its slot when the worker reports it as stopped, or exits.
  if (attempt === undefined || attempt.stopping === 'dismissed') return [];
  return [...logTail(attempt), ...record(attempt, body), ...remove(slots, at, key)];
}

function remove(slots: Slot[], at: number, key: AttemptKey): SlotEffect[] {
  const slot = slots[at];
  if (slot === undefined) return [];
  slot.attempts = slot.attempts.filter((attempt) => !sameAttempt(attempt.key, key));
  return [{ kind: 'finished', key }, ...startNext(slot, at)];
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
