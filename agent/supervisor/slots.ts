/**
 * The agent's decisions: what each slot does, and what follows from what happens. No I/O here: an event goes in,
 * effects come out.
 *
 * A slot is `starting` (its worker process comes up), `idle`, `claiming` (it asks for the lease of an offer), `running`
 * an attempt, or `stopping` one that is none of its business any more.
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
  | { readonly state: 'running'; readonly key: AttemptKey; seq: number; logged: number }
  | { readonly state: 'stopping'; readonly key: AttemptKey };

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
  | { readonly kind: 'run'; readonly slot: number; readonly key: AttemptKey; readonly grant: Grant }
  | { readonly kind: 'stop'; readonly slot: number }
  | { readonly kind: 'start'; readonly slot: number }
  /** The attempt does nothing more here: its folder may go once its records are with the coordinator. */
  | { readonly kind: 'over'; readonly key: AttemptKey }
  | { readonly kind: 'record'; readonly key: AttemptKey; readonly seq: number; readonly body: RecordBody };

export function newSlots(count: number): Slot[] {
  return Array.from({ length: count }, () => ({ state: 'starting' }));
}

export function sameAttempt(a: AttemptKey, b: AttemptKey): boolean {
  return a.sweepId === b.sweepId && a.trialId === b.trialId && a.attempt === b.attempt;
}

export function idleSlots(slots: readonly Slot[]): number {
  return slots.filter((slot) => slot.state === 'idle').length;
}

/** The attempts that the agent's heartbeats renew. */
export function heldAttempts(slots: readonly Slot[]): AttemptKey[] {
  return slots.flatMap((slot) => (slot.state === 'running' ? [slot.key] : []));
}

export function onOffer(slots: Slot[], key: AttemptKey, offer: OfferToken): Effect[] {
  // A redelivery of what is claimed or runs already: its first delivery is being answered.
  if (slots.some((slot) => 'key' in slot && sameAttempt(slot.key, key))) return [{ kind: 'acknowledge', offer }];
  const free = slots.findIndex((slot) => slot.state === 'idle');
  if (free === -1) return [{ kind: 'return', offer }];
  slots[free] = { state: 'claiming', key, offer };
  return [{ kind: 'claim', slot: free, key }];
}

export type Decision = { readonly grant: Grant } | { readonly refusal: Refusal };

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
    return [{ kind: 'acknowledge', offer: slot.offer }];
  }
  slots[at] = { state: 'running', key: slot.key, seq: 0, logged: 0 };
  return [
    { kind: 'acknowledge', offer: slot.offer },
    { kind: 'run', slot: at, key: slot.key, grant: decision.grant },
  ];
}

export function onWorkerMessage(slots: Slot[], at: number, message: FromWorker): Effect[] {
  const slot = slots[at];
  switch (message.kind) {
    case 'ready':
      if (slot?.state === 'starting') slots[at] = { state: 'idle' };
      return [];
    case 'stopped':
      if (slot?.state !== 'stopping') return [];
      slots[at] = { state: 'idle' };
      return [{ kind: 'over', key: slot.key }];
    case 'unfit':
      return [];
    case 'report':
      return record(slot, { kind: 'report', epoch: message.epoch, metrics: message.metrics });
    case 'artifact':
      return record(slot, { kind: 'artifact', file: message.artifact });
    case 'done':
      return endOf(slots, at, { kind: 'succeeded' });
    case 'failed':
      return endOf(slots, at, { kind: 'failed', class: message.class, message: message.message });
  }
}

export function onWorkerLog(slots: Slot[], at: number, text: string): Effect[] {
  const slot = slots[at];
  if (slot?.state !== 'running' || slot.logged > MAX_LOG_CHARACTERS) return [];
  slot.logged += text.length;
  if (slot.logged <= MAX_LOG_CHARACTERS) return record(slot, { kind: 'log', text });
  return record(slot, { kind: 'log', text: `\n[the log is cut here: it passed ${MAX_LOG_CHARACTERS} characters]\n` });
}

/** @param how such as `was killed by SIGKILL` or `exited with code 1` */
export function onWorkerExit(slots: Slot[], at: number, how: string): Effect[] {
  const slot = slots[at];
  const effects: Effect[] =
    slot?.state === 'claiming'
      ? [{ kind: 'return', offer: slot.offer }]
      : record(slot, { kind: 'failed', class: 'crash', message: `the worker process ${how}` });
  if (slot?.state === 'running' || slot?.state === 'stopping') effects.push({ kind: 'over', key: slot.key });
  slots[at] = { state: 'starting' };
  return [...effects, { kind: 'start', slot: at }];
}

/** The coordinator does not listen to this attempt any more. */
export function onDismissed(slots: Slot[], key: AttemptKey): Effect[] {
  const at = slots.findIndex((slot) => slot.state === 'running' && sameAttempt(slot.key, key));
  if (at === -1) return [];
  slots[at] = { state: 'stopping', key };
  return [{ kind: 'stop', slot: at }];
}

/** The agent ends: what runs is handed back as lost, which costs its trial nothing. */
export function onShutdown(slots: Slot[]): Effect[] {
  return slots.flatMap((slot, at): Effect[] => {
    const effects = record(slot, { kind: 'failed', class: 'lost', message: 'the agent was shut down' });
    if (slot.state === 'claiming') effects.push({ kind: 'return', offer: slot.offer });
    slots[at] = { state: 'starting' };
    return effects;
  });
}

function endOf(slots: Slot[], at: number, body: RecordBody): Effect[] {
  const slot = slots[at];
  const effects = record(slot, body);
  // A worker that was asked to stop says so as well, and is free only then.
  if (slot?.state !== 'running') return effects;
  slots[at] = { state: 'idle' };
  return [...effects, { kind: 'over', key: slot.key }];
}

function record(slot: Slot | undefined, body: RecordBody): Effect[] {
  if (slot?.state !== 'running') return [];
  slot.seq += 1;
  return [{ kind: 'record', key: slot.key, seq: slot.seq, body }];
}
