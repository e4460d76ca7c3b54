/** Limits the number of pools, because each pool costs memory in the coordinator and in the NATS server. */

/** The maximum number of different pools that one agent can announce within `POOL_WINDOW_MS`. */
export const MAX_AGENT_POOLS = 128;
/** The maximum number of pools of all agents within `POOL_WINDOW_MS`. */
export const MAX_POOLS = 2_048;
/**
 * The time for which the queue of a pool remains after its last agent has left. Within this time, an agent that
 * reconnects finds the queues of its pools unchanged.
 */
export const POOL_WINDOW_MS = 10 * 60_000;

export class PoolBudget {
  /** The times at which each agent last announced each pool. */
  readonly #lastSeen = new Map<string, Map<string, number>>();

  /**
   * Counts the pools that an agent announces.
   * @returns the reason for a rejection, if this agent, or all agents together, would have too many pools; otherwise
   * undefined. The pools of a rejected announcement are not counted.
   */
  announce(agentId: string, pools: Iterable<string>, now: number): string | undefined {
    this.#forgetBefore(now - POOL_WINDOW_MS);
    const own = new Map(this.#lastSeen.get(agentId));
    for (const pool of pools) own.set(pool, now);
    if (own.size > MAX_AGENT_POOLS) {
      return `agent ${agentId} has announced slots of ${own.size} different kinds within 10 minutes (max ${MAX_AGENT_POOLS})`;
    }
    const all = new Set(own.keys());
    for (const [id, seen] of this.#lastSeen) if (id !== agentId) for (const pool of seen.keys()) all.add(pool);
    if (all.size > MAX_POOLS) return `the agents have slots of ${all.size} different kinds (max ${MAX_POOLS})`;
    this.#lastSeen.set(agentId, own);
    return undefined;
  }

  #forgetBefore(oldest: number): void {
    for (const [agentId, seen] of this.#lastSeen) {
      for (const [pool, at] of seen) if (at < oldest) seen.delete(pool);
      if (seen.size === 0) this.#lastSeen.delete(agentId);
    }
  }
}
