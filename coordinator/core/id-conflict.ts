/** Decides whether an agent can take an id that another agent uses or used. */
import type { Agent } from './agent-model.ts';
import type { Core } from './model.ts';

export interface IdConflict {
  /**
   * `wait`: the agent that uses the id may have exited. Unless that agent reconnects, the id is free after `freeInMs`.
   * `in use`: the holder of the id is connected.
   */
  readonly kind: 'wait' | 'in use';
  /** The host of the agent that holds the id. */
  readonly host: string;
  readonly freeInMs: number;
}

/** The facts in a hello that identify the agent's process, folder and copy of the folder. */
export type Identification = Pick<Agent, 'id' | 'incarnation' | 'instance' | 'location'>;

/**
 * Returns the reason why the sender of a hello cannot use its id at present. Returns undefined if the sender can use
 * the id. An agent keeps its id until it has left or is lost. An agent that restarts on the same folder takes over its
 * id at once, because the lock of the folder proves that the earlier process has ended. An agent on a moved or copied
 * folder takes over the id at once only if the stream of the earlier agent has ended.
 */
export function idConflict(core: Core, hello: Identification, now: number): IdConflict | undefined {
  const holder = core.agents.get(hello.id);
  if (holder === undefined) return conflictWithPast(core, hello, now);
  if (holder.state !== 'connected' || holder.incarnation === hello.incarnation || isSameFolder(holder, hello)) {
    return undefined;
  }
  if (holder.instance === hello.instance && holder.disconnected) return undefined;
  const silentMs = now - Math.max(holder.lastHeardAt, core.listeningSince);
  const freeInMs = core.leaseMs - silentMs;
  if (freeInMs < 0) return undefined;
  const mayBeGone = holder.disconnected || silentMs > core.leaseMs / 2;
  return { kind: mayBeGone ? 'wait' : 'in use', host: holder.host, freeInMs };
}

/**
 * Returns the conflict with an agent that has not connected since the coordinator started. Such an agent keeps its id
 * until one lease duration after the start of the coordinator.
 */
function conflictWithPast(core: Core, hello: Identification, now: number): IdConflict | undefined {
  const past = core.pastAgents.get(hello.id);
  if (past === undefined || past.state === 'left' || past.instance === '' || isSameFolder(past, hello)) {
    return undefined;
  }
  const freeInMs = core.startedAt + core.leaseMs - now;
  return freeInMs < 0 ? undefined : { kind: 'wait', host: past.host, freeInMs };
}

function isSameFolder(a: Pick<Agent, 'instance' | 'location'>, b: Pick<Agent, 'instance' | 'location'>): boolean {
  return a.instance === b.instance && a.location === b.location;
}
