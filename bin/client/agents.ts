/** Lists, drains, undrains and releases agents. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Agent, AgentState } from '../../proto/gen/trawl/v1/types.ts';
import type { Connection } from './connect.ts';
import { unary } from './rpc.ts';

/** The default grace period of a drain, in milliseconds. */
export const DEFAULT_DRAIN_GRACE_MS = 600_000;

const POLL_MS = 500;

/** Returns all agents that the coordinator knows. */
export async function listAgents(connection: Connection): Promise<Agent[]> {
  return (await unary(connection, connection.client.listAgents, {})).agents;
}

/** Starts to drain an agent. Returns the agent after the change. */
export async function drainAgent(
  connection: Connection,
  agent: string,
  { graceMs = DEFAULT_DRAIN_GRACE_MS, reason = '' }: { readonly graceMs?: number; readonly reason?: string },
): Promise<Agent> {
  const request = { agent, graceMs: Math.round(graceMs), reason };
  return present((await unary(connection, connection.operations.drainAgent, request)).agent);
}

/** Lets a drained agent take trials again. Returns the agent after the change. */
export async function undrainAgent(connection: Connection, agent: string): Promise<Agent> {
  return present((await unary(connection, connection.operations.undrainAgent, { agent })).agent);
}

/** Ends the quarantine of an agent. Returns the agent after the change. */
export async function releaseAgent(connection: Connection, agent: string): Promise<Agent> {
  return present((await unary(connection, connection.operations.releaseAgent, { agent })).agent);
}

/** Waits until an agent is no longer draining, for example because it is lost. Returns its last known state. */
export async function waitForDrain(connection: Connection, agent: Agent): Promise<Agent> {
  let current = agent;
  while (current.state === AgentState.DRAINING) {
    await sleep(POLL_MS);
    current = present((await listAgents(connection)).find(({ id }) => id === agent.id));
  }
  return current;
}

function present(agent: Agent | undefined): Agent {
  if (agent === undefined) throw new Error('the response of the coordinator contains no agent');
  return agent;
}
