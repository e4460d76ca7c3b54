/** Decides when an agent shuts down by itself: when it has been idle for a set time, or has run for a set time. */

export interface LifetimeLimits {
  /** The maximum time without an attempt, in milliseconds. If undefined, this time is not limited. */
  readonly idleTimeoutMs: number | undefined;
  /** The maximum time since the start of the agent, in milliseconds. If undefined, this time is not limited. */
  readonly maxTimeMs: number | undefined;
}

/**
 * Returns the reason why an agent must stop; undefined if it may continue. The limit `maxTimeMs` also applies to a busy
 * agent.
 */
export function lifetimeEnd(
  { idleTimeoutMs, maxTimeMs }: LifetimeLimits,
  { upMs, idleMs }: { readonly upMs: number; readonly idleMs: number },
): 'idle-timeout' | 'max-time' | undefined {
  if (maxTimeMs !== undefined && upMs >= maxTimeMs) return 'max-time';
  return idleTimeoutMs !== undefined && idleMs >= idleTimeoutMs ? 'idle-timeout' : undefined;
}

/** Measures how long an agent has been idle. All times are in milliseconds of one monotonic clock. */
export class IdleTime {
  #isBusy = false;
  #since: number;

  constructor(now: number) {
    this.#since = now;
  }

  set(isBusy: boolean, now: number): void {
    if (isBusy || this.#isBusy) this.#since = now;
    this.#isBusy = isBusy;
  }

  elapsed(now: number): number {
    return this.#isBusy ? 0 : now - this.#since;
  }
}
