/** Measures the GPU time that the attempts of each sweep use, in seconds. */
import { type AttemptKey, keyText } from '../../lib/domain/attempt-key.ts';

export interface GpuSecondsOptions {
  /** Returns the number of GPUs per slot of an agent. Less than 1 if slots share a GPU, and 0 without GPUs. */
  readonly gpusPerSlot: (agentId: string) => number;
  readonly add: (sweep: string, seconds: number) => void;
}

interface Slot {
  readonly agentId: string;
  since: number;
  /** The sweep of each attempt in the slot, by `keyText`. A pack has several attempts. */
  readonly attempts: Map<string, string>;
}

/**
 * Charges the GPU time of each slot to its attempts in equal parts, whenever an attempt starts or ends. Times are Unix
 * milliseconds.
 */
export class GpuSeconds {
  readonly #options: GpuSecondsOptions;
  readonly #slots = new Map<string, Slot>();
  readonly #slotOf = new Map<string, string>();

  constructor(options: GpuSecondsOptions) {
    this.#options = options;
  }

  /** Starts to charge an attempt for the GPUs of its slot. */
  granted(key: AttemptKey, agentId: string, slotNumber: number, now: number): void {
    const name = `${agentId}/${slotNumber}`;
    const slot = this.#slots.get(name) ?? { agentId, since: now, attempts: new Map() };
    this.#settle(slot, now);
    slot.attempts.set(keyText(key), key.sweepId);
    this.#slots.set(name, slot);
    this.#slotOf.set(keyText(key), name);
  }

  ended(key: AttemptKey, now: number): void {
    const name = this.#slotOf.get(keyText(key)) ?? '';
    const slot = this.#slots.get(name);
    if (slot === undefined) return;
    this.#settle(slot, now);
    this.#slotOf.delete(keyText(key));
    slot.attempts.delete(keyText(key));
    if (slot.attempts.size === 0) this.#slots.delete(name);
  }

  /** Charges all running attempts for the time up to now. */
  settleAll(now: number): void {
    for (const slot of this.#slots.values()) this.#settle(slot, now);
  }

  #settle(slot: Slot, now: number): void {
    const gpus = this.#options.gpusPerSlot(slot.agentId);
    const each = (gpus * (now - slot.since)) / 1000 / slot.attempts.size;
    slot.since = now;
    for (const sweep of slot.attempts.values()) if (each > 0) this.#options.add(sweep, each);
  }
}
