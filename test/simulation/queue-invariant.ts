/**
 * Invariants of the attempts that slots hold in advance (coordinator/core/prefetch.ts). The number of attempts per slot
 * is limited, and no attempt waits for long. Only the agent of an attempt can return the attempt. The loss of an
 * attempt is charged to its trial only if the attempt has started.
 */
import { MAX_QUEUED_MS } from '../../agent/supervisor/slots.ts';
import { MAX_LEASES_PER_SLOT } from '../../coordinator/core/agent-limits.ts';
import type { AttemptEnd } from '../../coordinator/core/attempt-model.ts';
import { isQueued } from '../../coordinator/core/leases.ts';
import type { Core } from '../../coordinator/core/model.ts';
import { MAX_PREFETCH_PER_SLOT } from '../../coordinator/core/prefetch.ts';
import { MAX_FREE_LOSSES } from '../../coordinator/core/retry.ts';
import type { Change } from '../../coordinator/core/step.ts';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';

/**
 * If an attempt has been queued for MAX_QUEUED_MS, its agent returns it. The return must then become durable within
 * this additional time.
 */
const RETURN_MS = 4_000;
/**
 * The waiting time of a queued attempt is checked only on machines whose file transfers take at most this time. The
 * coordinator learns that the attempt has started only after the files of the previous attempt are stored. With slower
 * transfers, it would learn of the start too late for this check.
 */
const QUICK_TRANSFER_MS = 500;

interface QueueContext {
  now(): number;
  /** Whether the agent has been reachable for longer than a lease lasts. */
  isPresent(agentId: string): boolean;
  /** Whether the agent has recorded the return of the attempt on its disk. */
  hasReturned(agentId: string, key: AttemptKey): boolean;
  /** Whether a worker of the agent has started the attempt. */
  hasRun(agentId: string, key: AttemptKey): boolean;
}

/** An attempt or a pack that a slot holds. */
interface HeldPack {
  readonly id: string;
  readonly agentId: string;
  /** The agent process to which the pack was granted. */
  readonly incarnation: string;
  readonly slot: string;
  readonly since: number;
  readonly attempts: Set<string>;
  /**
   * Whether the coordinator knows that the slot has started the pack. `maybe`: the durable changes do not show the
   * start, but a heartbeat may have reported the start.
   */
  started: Certainty;
  /**
   * Whether a newer process of the agent has replaced the process that holds the pack. `maybe`: the agent has connected
   * again, and the durable changes do not show whether its process is new.
   */
  replaced: Certainty;
}

type Certainty = 'no' | 'maybe' | 'yes';

export class QueueInvariant {
  readonly reached = new Set<string>();
  readonly #world: QueueContext;
  readonly #quick: ReadonlySet<string>;
  /** The packs of each slot, in order of grant. */
  readonly #slots = new Map<string, HeldPack[]>();
  /** For each trial, the number of lost attempts that were not charged to the trial. */
  readonly #freeLosses = new Map<string, number>();
  /** The pack of each attempt, by the name of the attempt. */
  readonly #held = new Map<string, HeldPack>();

  constructor(world: QueueContext, machines: readonly { readonly id: string; readonly transferMs: number }[]) {
    this.#world = world;
    this.#quick = new Set(machines.filter(({ transferMs }) => transferMs <= QUICK_TRANSFER_MS).map(({ id }) => id));
  }

  /**
   * Called after each start of the coordinator. A new coordinator assumes that the oldest pack of each slot has
   * started.
   */
  loaded(): void {
    for (const [oldest] of this.#slots.values()) if (oldest !== undefined) oldest.started = 'yes';
  }

  /** Returns the violated invariant, if there is one. */
  take(changes: readonly Change[], core: Core): string | undefined {
    let violated: string | undefined;
    for (const change of changes) {
      if (change.kind === 'granted') violated ??= this.#granted(change);
      else if (change.kind === 'ended') violated ??= this.#ended(change);
      else if (change.kind === 'agent') this.#connected(change);
      else if ('seq' in change) {
        const pack = this.#held.get(keyText(change.key));
        if (pack !== undefined) pack.started = 'yes';
      }
    }
    return violated ?? this.#waits(core);
  }

  #connected({ agentId, event }: Change & { kind: 'agent' }): void {
    if (event?.kind !== 'joined' && event?.kind !== 'returned') return;
    const replaced = event.detail.endsWith(': restarted') ? 'yes' : 'maybe';
    for (const pack of this.#held.values()) {
      if (pack.agentId === agentId && pack.replaced !== 'yes') pack.replaced = replaced;
    }
  }

  #granted({ key, agentId, incarnation, slot: at, pack: id }: Change & { kind: 'granted' }): string | undefined {
    const slot = `${agentId}/${at}`;
    const packs = this.#slots.get(slot) ?? [];
    this.#slots.set(slot, packs);
    let pack = packs.find((one) => one.id === id);
    if (pack === undefined) {
      const since = this.#world.now();
      pack = { id, agentId, incarnation, slot, since, attempts: new Set(), started: 'no', replaced: 'no' };
      packs.push(pack);
    }
    pack.attempts.add(keyText(key));
    this.#held.set(keyText(key), pack);
    this.#startOldest(pack, 'yes');
    if (packs.length <= MAX_LEASES_PER_SLOT + MAX_PREFETCH_PER_SLOT) return undefined;
    return `slot ${slot} holds ${packs.length} attempts or packs`;
  }

  #ended(change: Change & { kind: 'ended' }): string | undefined {
    const { key, end } = change;
    const name = keyText(key);
    const pack = this.#held.get(name);
    if (pack === undefined) return undefined;
    const isLost = end.outcome === 'failed' && end.failure.class === 'lost';
    const violated = isLost ? this.#lossIsCharged(change, pack) : undefined;
    this.#held.delete(name);
    pack.attempts.delete(name);
    const packs = this.#slots.get(pack.slot) ?? [];
    if (pack.attempts.size === 0) packs.splice(packs.indexOf(pack), 1);
    if (isEndOfAgent(end)) this.#startOldest(pack, 'yes');
    else if (!isLost) this.#startOldest(pack, 'maybe');
    if (end.outcome !== 'returned') return violated;
    this.reached.add('a returned attempt');
    if (this.#world.hasReturned(pack.agentId, key)) return violated;
    return `${name} ended as returned, but ${pack.agentId} has not returned it`;
  }

  #lossIsCharged({ key, free }: Change & { kind: 'ended' }, pack: HeldPack): string | undefined {
    const name = keyText(key);
    const trial = name.slice(0, name.lastIndexOf('/') + 1);
    // While another attempt of the trial runs, no loss is charged to the trial.
    if ([...this.#held.keys()].some((other) => other !== name && other.startsWith(trial))) return undefined;
    const freeLosses = this.#freeLosses.get(trial) ?? 0;
    if (free) {
      this.#freeLosses.set(trial, freeLosses + 1);
      this.reached.add('a queued attempt lost');
      return pack.started === 'yes'
        ? `the loss of ${name} is not charged, although the attempt had started`
        : undefined;
    }
    if (freeLosses >= MAX_FREE_LOSSES || pack.started !== 'no' || this.#world.hasRun(pack.agentId, key))
      return undefined;
    return `the loss of ${name} is charged, although the attempt was queued and never ran`;
  }

  /**
   * Of the packs that the same agent process holds in the same slot as the given pack, marks the oldest pack as
   * started. Does nothing if a newer process has replaced that agent process.
   */
  #startOldest({ slot, incarnation, replaced }: HeldPack, started: 'maybe' | 'yes'): void {
    const oldest = this.#slots.get(slot)?.find((one) => one.incarnation === incarnation);
    if (oldest === undefined || oldest.started === 'yes' || replaced === 'yes') return;
    oldest.started = replaced === 'no' ? started : 'maybe';
  }

  #waits({ leases }: Core): string | undefined {
    for (const lease of leases.values()) {
      if (!isQueued(lease)) continue;
      const held = this.#held.get(keyText(lease.key));
      if (held === undefined || !this.#quick.has(held.agentId) || !this.#world.isPresent(held.agentId)) continue;
      // The attempt may have started although the coordinator does not know it: a program that hangs sends no record,
      // and a lost connection can delay the record of the previous attempt's end.
      if (this.#world.hasRun(held.agentId, lease.key)) continue;
      this.reached.add('a queued attempt');
      const waitedMs = this.#world.now() - held.since;
      if (waitedMs > MAX_QUEUED_MS + RETURN_MS) return `${keyText(lease.key)} has been queued for ${waitedMs} ms`;
    }
    return undefined;
  }
}

/**
 * Whether this kind of end always comes from a record that the agent sent. After such an end, the slot starts its next
 * attempt.
 */
function isEndOfAgent(end: AttemptEnd): boolean {
  if (end.outcome === 'failed') return ['oom', 'nan', 'crash', 'preflight'].includes(end.failure.class);
  return end.outcome === 'succeeded' || end.outcome === 'stopped' || end.outcome === 'held';
}
