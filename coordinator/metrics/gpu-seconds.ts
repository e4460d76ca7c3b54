import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';
/** How long each sweep's attempts hold GPUs. */

export interface GpuSecondsOptions {
  /** GPUs that each slot of the agent holds: less than one where slots share a card, 0 where there is none. */
  readonly gpusPerSlot: (agentId: string) => number;
  readonly add: (sweep: string, seconds: number) => void;
}

interface Slot {
  readonly agentId: string;
  since: number;
  /** Sweeps of the attempts in it, by keyText: several are a pack. */
  readonly tenants: Map<string, string>;
}

/** A slot's time goes to its attempts in equal shares, settled whenever one comes or goes. */
export class GpuSeconds {
  readonly #options: GpuSecondsOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #slotOf = new Map<string, string>();

  constructor(options: GpuSecondsOptions) {
    this.#options = options;
  }

  /** @param now milliseconds, as everywhere here */
  granted(key: AttemptKey, agentId: string, slot: number, now: number): void {
    const name = `${agentId}/${slot}`;
    const place = this.#slots.get(name) ?? { agentId, since: now, tenants: new Map() };
    this.#settle(place, now);
    place.tenants.set(keyText(key), key.sweepId);
    this.#slots.set(name, place);
    this.#slotOf.set(keyText(key), name);
  }

  ended(key: AttemptKey, now: number): void {
    const name = this.#slotOf.get(keyText(key)) ?? '';
    const place = this.#slots.get(name);
    if (place === undefined) return;
    this.#settle(place, now);
    this.#slotOf.delete(keyText(key));
    place.tenants.delete(keyText(key));
    if (place.tenants.size === 0) this.#slots.delete(name);
  }

  /** Gives what runs its time so far. */
  settleAll(now: number): void {
    for (const place of this.#slots.values()) this.#settle(place, now);
  }

  #settle(place: Slot, now: number): void {
    const gpus = this.#options.gpusPerSlot(place.agentId);
    const each = (gpus * (now - place.since)) / 1000 / place.tenants.size;
    place.since = now;
    for (const sweep of place.tenants.values()) if (each > 0) this.#options.add(sweep, each);
  }
}
