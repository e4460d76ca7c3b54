/**
 * The agent's decisions: what each slot does, and what follows from what happens. No I/O here: an event goes in,
 * effects come out.
 *
 * A slot is `starting` (its worker process comes up), `idle`, `claiming` (it asks for the lease of an offer), or
 * `running` one attempt or a pack of them. Of a pack each member ends by itself; the slot is idle after the last.
 */
import type { AttemptKey, Grant, Refusal } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { RefusalCode } from '../../proto/gen/trawl/v1/attempt_service.ts';
import type { FailureClassName } from '../../proto/names.ts';
import type { FromWorker, KeptFile } from '../worker/ipc.ts';

/** Characters of log kept of an attempt; what it writes beyond is dropped, and that is said. */
export const MAX_LOG_CHARACTERS = 1_000_000;

/** Stands for the NATS message that an offer came in. */
export type OfferToken = number;

export type Slot =
  | { readonly state: 'starting' | 'idle' }
  | { readonly state: 'claiming'; readonly key: AttemptKey; readonly offer: OfferToken }
  | { readonly state: 'running'; members: readonly Member[] };

/** An attempt in a slot. */
export interface Member {
  readonly key: AttemptKey;
  /** Of its newest record. */
  seq: number;
  /** Characters of log kept of it. */
  logged: number;
  /**
   * It was asked to stop, and is waited for until it has: `dismissed` is none of our business any more, and nothing of
   * it is recorded; `handed back` is still ours to tell of until its end is told.
   */
  leaving: 'dismissed' | 'handed back' | undefined;
}

export interface Granted {
  readonly key: AttemptKey;
  readonly grant: Grant;
}

export type RecordBody =
  | { readonly kind: 'report'; readonly epoch: number; readonly metrics: Readonly<Record<string, number>> }
  | { readonly kind: 'log'; readonly text: string }
  | { readonly kind: 'artifact'; readonly file: KeptFile }
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'failed'; readonly class: FailureClassName; readonly message: string };

export type Effect =
  | { readonly kind: 'claim'; readonly slot: number; readonly key: AttemptKey }
  /** The offer is answered: it must not come again. */
  | { readonly kind: 'acknowledge'; readonly offer: OfferToken }
  /** The offer is for somebody else. */
  | { readonly kind: 'return'; readonly offer: OfferToken }
  | { readonly kind: 'run'; readonly slot: number; readonly granted: readonly Granted[] }
  | { readonly kind: 'stop'; readonly slot: number; readonly key: AttemptKey }
  | { readonly kind: 'start'; readonly slot: number }
  /** The attempt does nothing more here: its folder may go once its records are with the coordinator. */
  | { readonly kind: 'over'; readonly key: AttemptKey }
  | { readonly kind: 'record'; readonly key: AttemptKey; readonly seq: number; readonly body: RecordBody };

/** Refusals of an offer that stands all the same. */
const STILL_TO_BE_RUN: ReadonlySet<RefusalCode> = new Set([
  RefusalCode.DRAINED,
  RefusalCode.UNFIT,
  RefusalCode.OUTRANKED,
]);

export function newSlots(count: number): Slot[] {
  return Array.from({ length: count }, () => ({ state: 'starting' }));
}

export function sameAttempt(a: AttemptKey, b: AttemptKey): boolean {
  return a.sweepId === b.sweepId && a.trialId === b.trialId && a.attempt === b.attempt;
}

/** @param which of the slots */
export function idleSlots(slots: readonly Slot[], which: (slot: number) => boolean): number {
  return slots.filter((slot, at) => slot.state === 'idle' && which(at)).length;
}

/** The attempts that the agent's heartbeats renew. */
export function heldAttempts(slots: readonly Slot[]): AttemptKey[] {
  return slots.flatMap(membersOf).flatMap(({ key, leaving }) => (leaving === 'dismissed' ? [] : [key]));
}

/** The attempts whose leases the agent asks for: it may have them already, and not know. */
export function claimedAttempts(slots: readonly Slot[]): AttemptKey[] {
  return slots.flatMap((slot) => (slot.state === 'claiming' ? [slot.key] : []));
}

export function busySlots(slots: readonly Slot[]): number {
  return slots.filter((slot) => slot.state === 'running').length;
}

/** Whether nothing runs, and nothing is about to. */
export function isQuiet(slots: readonly Slot[]): boolean {
  return slots.every(({ state }) => state === 'idle' || state === 'starting');
}

/** Whether the slot still runs this attempt, and nobody has asked it to stop. */
export function isHeld(slot: Slot | undefined, key: AttemptKey): boolean {
  return membersOf(slot).some((member) => sameAttempt(member.key, key) && member.leaving === undefined);
}

function membersOf(slot: Slot | undefined): readonly Member[] {
  return slot?.state === 'running' ? slot.members : [];
}

function memberOf(slot: Slot | undefined, key: AttemptKey): Member | undefined {
  return membersOf(slot).find((member) => sameAttempt(member.key, key));
}

/** @param takes whether a slot may take it */
export function onOffer(
  slots: Slot[],
  key: AttemptKey,
  offer: OfferToken,
  takes: (slot: number) => boolean = () => true,
): Effect[] {
  // A redelivery of what is claimed or runs already: its first delivery is being answered.
  const known = (slot: Slot) =>
    slot.state === 'claiming' ? sameAttempt(slot.key, key) : memberOf(slot, key) !== undefined;
  if (slots.some(known)) return [{ kind: 'acknowledge', offer }];
  const free = slots.findIndex((slot, at) => slot.state === 'idle' && takes(at));
  if (free === -1) return [{ kind: 'return', offer }];
  slots[free] = { state: 'claiming', key, offer };
  return [{ kind: 'claim', slot: free, key }];
}

/** `mates` are leased with the claimed attempt, to be run with it. */
export type Decision = { readonly grant: Grant; readonly mates: readonly Granted[] } | { readonly refusal: Refusal };

/**
 * The coordinator answers the claim of an attempt. The slot may have let go of it since, and claim another by now.
 * @returns `again` when the claim must be made again, once the coordinator knows this agent
 */
export function onDecision(slots: Slot[], at: number, key: AttemptKey, decision: Decision): Effect[] | 'again' {
  const slot = slots[at];
  if (slot?.state !== 'claiming' || !sameAttempt(slot.key, key)) return [];
  if ('refusal' in decision) {
    if (decision.refusal.code === RefusalCode.NO_SESSION) return 'again';
    slots[at] = { state: 'idle' };
    // What this slot is not to run, or not yet, is still to be run.
    const answered = !STILL_TO_BE_RUN.has(decision.refusal.code);
    return [{ kind: answered ? 'acknowledge' : 'return', offer: slot.offer }];
  }
  const granted = [{ key: slot.key, grant: decision.grant }, ...decision.mates];
  const members = granted.map(({ key }): Member => ({ key, seq: 0, logged: 0, leaving: undefined }));
  slots[at] = { state: 'running', members };
  return [
    { kind: 'acknowledge', offer: slot.offer },
    { kind: 'run', slot: at, granted },
  ];
}

export function onWorkerMessage(slots: Slot[], at: number, message: FromWorker): Effect[] {
  const slot = slots[at];
  switch (message.kind) {
    case 'ready':
      if (slot?.state === 'starting') slots[at] = { state: 'idle' };
      return [];
    case 'stopped': {
      const member = memberOf(slot, message.key);
      return member?.leaving === undefined ? [] : [...handBack(member), ...leave(slots, at, message.key)];
    }
    case 'unfit':
    case 'dataset':
      return [];
    case 'report':
      return record(memberOf(slot, message.key), { kind: 'report', epoch: message.epoch, metrics: message.metrics });
    case 'artifact':
      return record(memberOf(slot, message.key), { kind: 'artifact', file: message.artifact });
    case 'done':
      return endOf(slots, at, message.key, { kind: 'succeeded' });
    case 'failed':
      return endOf(slots, at, message.key, { kind: 'failed', class: message.class, message: message.message });
  }
}

/** What a worker prints is the log of every attempt that it runs: it cannot be told whose it is. */
export function onWorkerLog(slots: Slot[], at: number, text: string): Effect[] {
  return membersOf(slots[at]).flatMap((member) => {
    if (member.logged > MAX_LOG_CHARACTERS) return [];
    member.logged += text.length;
    const cut = `\n[the log is cut here: it passed ${MAX_LOG_CHARACTERS} characters]\n`;
    return record(member, { kind: 'log', text: member.logged <= MAX_LOG_CHARACTERS ? text : cut });
  });
}

/** @param how such as `was killed by SIGKILL` or `exited with code 1` */
export function onWorkerExit(slots: Slot[], at: number, how: string): Effect[] {
  const slot = slots[at];
  const effects: Effect[] = slot?.state === 'claiming' ? [{ kind: 'return', offer: slot.offer }] : [];
  for (const member of membersOf(slot)) {
    const crash: RecordBody = { kind: 'failed', class: 'crash', message: `the worker process ${how}` };
    effects.push(...(member.leaving === undefined ? record(member, crash) : handBack(member)));
    effects.push({ kind: 'over', key: member.key });
  }
  slots[at] = { state: 'starting' };
  return [...effects, { kind: 'start', slot: at }];
}

/** The coordinator does not listen to this attempt any more. */
export function onDismissed(slots: Slot[], key: AttemptKey): Effect[] {
  const at = slots.findIndex((slot) => memberOf(slot, key) !== undefined);
  const member = memberOf(slots[at], key);
  if (member === undefined || member.leaving === 'dismissed') return [];
  const asked = member.leaving !== undefined;
  member.leaving = 'dismissed';
  return asked ? [] : [{ kind: 'stop', slot: at, key }];
}

/** The grace of a drain is over: what still runs is asked to stop, and then handed back. */
export function onGraceOver(slots: Slot[]): Effect[] {
  return slots.flatMap((slot, at) =>
    membersOf(slot).flatMap((member): Effect[] => {
      if (member.leaving !== undefined) return [];
      member.leaving = 'handed back';
      return [{ kind: 'stop', slot: at, key: member.key }];
    }),
  );
}

/** The agent ends now: what runs is handed back, which costs its trial nothing. */
export function onShutdown(slots: Slot[]): Effect[] {
  return slots.flatMap((slot, at): Effect[] => {
    const effects = membersOf(slot).flatMap(handBack);
    if (slot.state === 'claiming') effects.push({ kind: 'return', offer: slot.offer });
    slots[at] = { state: 'starting' };
    return effects;
  });
}

function endOf(slots: Slot[], at: number, key: AttemptKey, body: RecordBody): Effect[] {
  const member = memberOf(slots[at], key);
  // A member that was asked to stop says so as well, and is gone only then.
  if (member === undefined || member.leaving === 'dismissed') return [];
  return [...record(member, body), ...leave(slots, at, key)];
}

function leave(slots: Slot[], at: number, key: AttemptKey): Effect[] {
  const left = membersOf(slots[at]).filter((member) => !sameAttempt(member.key, key));
  slots[at] = left.length === 0 ? { state: 'idle' } : { state: 'running', members: left };
  return [{ kind: 'over', key }];
}

/** Its checkpoints are with the coordinator, or on their way there: whoever gets it next goes on from them. */
function handBack(member: Member): Effect[] {
  return record(member, { kind: 'failed', class: 'drained', message: 'the agent was drained' });
}

function record(member: Member | undefined, body: RecordBody): Effect[] {
  if (member === undefined || member.leaving === 'dismissed') return [];
  member.seq += 1;
  return [{ kind: 'record', key: member.key, seq: member.seq, body }];
}
