/** Limits the number of pools, because each pool costs memory in the coordinator and in the NATS server. */

/** The maximum number of different pools that one agent can announce within `POOL_WINDOW_MS`. */
export const MAX_AGENT_POOLS = 128;
/** The maximum number of different pools that all agents together can announce within `POOL_WINDOW_MS`. */
export const MAX_POOLS = 2_048;
/**
 * The queue of a pool remains for this time after the last agent of the pool has left. An agent that reconnects within
 * this time finds the queues of its pools unchanged.
 */
export const POOL_WINDOW_MS = 10 * 60_000;

export class PoolBudget {
  /**
   * The times at which each agent last announced each pool. The agents are in the order of their last announcements, so
   * that the agents to forget come first.
   */
  readonly #lastSeen = new Map<string, ReadonlyMap<string, number>>();
  /** The number of agents that announced each pool. */
  readonly #agents = new Map<string, number>();

  /**
   * Counts the pools that an agent announces.
   * @returns the reason for a rejection, if this agent, or all agents together, would have too many pools; otherwise
   * undefined. The pools of a rejected announcement are not counted.
   */
  announce(agentId: string, pools: Iterable<string>, now: number): string | undefined {
    const oldest = now - POOL_WINDOW_MS;
    this.#forgetAgents(oldest);
    const own = new Map(recent(this.#lastSeen.get(agentId), oldest));
    for (const pool of pools) own.set(pool, now);
    if (own.size > MAX_AGENT_POOLS) {
      return `agent ${agentId} has announced slots of ${own.size} different kinds within 10 minutes (max ${MAX_AGENT_POOLS})`;
    }
    if (this.#sizeWith(own) > MAX_POOLS) {
      for (const [id, seen] of this.#lastSeen) this.#replace(id, recent(seen, oldest));
      const size = this.#sizeWith(own);
      if (size > MAX_POOLS) return `the agents have slots of ${size} different kinds (max ${MAX_POOLS})`;
    }
    this.#replace(agentId, undefined);
    this.#replace(agentId, own);
    return undefined;
  }

  /** Returns how many different pools all agents would have together if one agent also had the pools in `own`. */
  #sizeWith(own: ReadonlyMap<string, number>): number {
    let size = this.#agents.size;
    for (const pool of own.keys()) if (!this.#agents.has(pool)) size += 1;
    return size;
  }

  /** Replaces the pools of an agent. An agent without pools is removed. */
  #replace(agentId: string, pools: ReadonlyMap<string, number> | undefined): void {
    for (const pool of this.#lastSeen.get(agentId)?.keys() ?? []) {
      const left = (this.#agents.get(pool) ?? 0) - 1;
      if (left > 0) this.#agents.set(pool, left);
      else this.#agents.delete(pool);
    }
    for (const pool of pools?.keys() ?? []) this.#agents.set(pool, (this.#agents.get(pool) ?? 0) + 1);
    if (pools === undefined || pools.size === 0) this.#lastSeen.delete(agentId);
    else this.#lastSeen.set(agentId, pools);
  }

  /** Forgets the agents that have announced nothing since `oldest`. */
  #forgetAgents(oldest: number): void {
    for (const [agentId, seen] of this.#lastSeen) {
      if (recent(seen, oldest)?.size !== 0) return;
      this.#replace(agentId, undefined);
    }
  }
}

/** Returns the pools that were announced at `oldest` or later. */
function recent(
  seen: ReadonlyMap<string, number> | undefined,
  oldest: number,
): ReadonlyMap<string, number> | undefined {
  return seen && new Map([...seen].filter(([, at]) => at >= oldest));
}
