/**
 * Invariants of the attempts that slots hold in advance (coordinator/core/prefetch.ts): their number per slot is
 * bounded, they do not wait for long, and only their agent can return them.
 */
import { MAX_QUEUED_MS } from '../../agent/supervisor/slots.ts';
import { MAX_LEASES_PER_SLOT } from '../../coordinator/core/agent-limits.ts';
import { isQueued } from '../../coordinator/core/leases.ts';
import type { Core } from '../../coordinator/core/model.ts';
import { MAX_PREFETCH_PER_SLOT } from '../../coordinator/core/prefetch.ts';
import type { Change } from '../../coordinator/core/step.ts';
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';

/** The time, in milliseconds, in which the return of an attempt that has waited for MAX_QUEUED_MS becomes durable. */
const RETURN_MS = 4_000;
/**
 * The wait is checked only on machines whose transfers of files take at most this time. The coordinator learns of a
 * start only after the files of the attempt before it are stored.
 */
const QUICK_TRANSFER_MS = 500;

interface QueueContext {
  now(): number;
  /** Whether the agent has been reachable for longer than a lease lasts. */
  isPresent(agentId: string): boolean;
  /** Whether the agent has written the record that returns the attempt. */
  hasReturned(agentId: string, key: AttemptKey): boolean;
}

interface Held {
  readonly agentId: string;
  readonly slot: string;
  readonly pack: string;
  readonly since: number;
}

export class QueueInvariant {
  readonly reached = new Set<string>();
  readonly #world: QueueContext;
  readonly #quick: ReadonlySet<string>;
  readonly #held = new Map<string, Held>();

  constructor(world: QueueContext, machines: readonly { readonly id: string; readonly transferMs: number }[]) {
    this.#world = world;
    this.#quick = new Set(machines.filter(({ transferMs }) => transferMs <= QUICK_TRANSFER_MS).map(({ id }) => id));
  }

  /** Returns the violated invariant, if there is one. */
  take(changes: readonly Change[], core: Core): string | undefined {
    let violated: string | undefined;
    for (const change of changes) {
      if (change.kind === 'granted') violated ??= this.#granted(change);
      if (change.kind === 'ended') violated ??= this.#ended(change);
    }
    return violated ?? this.#waits(core);
  }

  #granted({ key, agentId, slot: at, pack }: Change & { kind: 'granted' }): string | undefined {
    const slot = `${agentId}/${at}`;
    this.#held.set(keyText(key), { agentId, slot, pack, since: this.#world.now() });
    const packs = new Set([...this.#held.values()].filter((one) => one.slot === slot).map((one) => one.pack)).size;
    if (packs <= MAX_LEASES_PER_SLOT + MAX_PREFETCH_PER_SLOT) return undefined;
    return `slot ${slot} holds ${packs} attempts or packs`;
  }

  #ended({ key, end, free }: Change & { kind: 'ended' }): string | undefined {
    const held = this.#held.get(keyText(key));
    this.#held.delete(keyText(key));
    if (end.outcome === 'failed' && end.failure.class === 'lost' && free) this.reached.add('a queued attempt lost');
    if (end.outcome !== 'returned' || held === undefined) return undefined;
    this.reached.add('a returned attempt');
    if (this.#world.hasReturned(held.agentId, key)) return undefined;
    return `${keyText(key)} ended as returned, but ${held.agentId} has not returned it`;
  }

  #waits({ leases }: Core): string | undefined {
    for (const lease of leases.values()) {
      if (!isQueued(lease)) continue;
      this.reached.add('a queued attempt');
      const held = this.#held.get(keyText(lease.key));
      if (held === undefined || !this.#quick.has(held.agentId) || !this.#world.isPresent(held.agentId)) continue;
      const waitedMs = this.#world.now() - held.since;
      if (waitedMs > MAX_QUEUED_MS + RETURN_MS) return `${keyText(lease.key)} has been queued for ${waitedMs} ms`;
    }
    return undefined;
  }
}
