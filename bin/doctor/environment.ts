/**
 * Checks the environment of an agent on this machine: web proxies, the host name, the start of programs, the agent's id,
 * and the certificate.
 */
import { lookup } from 'node:dns/promises';
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { newAgentId, readAgentId } from '../../agent/agent-id.ts';
import { type LoadedPosixSpawn, loadPosixSpawn } from '../../agent/trainers/command/posix-spawn.ts';
import { expiryState } from '../../lib/net/expiry.ts';
import { certificateFacts, IDENTITY_FILES } from '../../lib/net/identity.ts';
import { within } from '../../lib/net/within.ts';
import { errorMessage } from '../../lib/text/error-message.ts';
import { TrawlError, UnreachableError } from '../../proto/errors.ts';
import { type Agent, AgentState } from '../../proto/gen/trawl/v1/types.ts';
import { listAgents } from '../client/agents.ts';
import { type ConnectOptions, withConnection } from '../client/connect.ts';
import type { Finding } from './finding.ts';

const PROXIES = ['grpc_proxy', 'https_proxy', 'HTTPS_PROXY', 'http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'];
const LOOKUP_LIMIT_MS = 5_000;

/**
 * Returns the finding about web proxies: whether environment variables for proxies affect connections to the
 * coordinator. The finding omits the values of the variables, because a value can contain a password.
 */
export function proxyFinding(env: NodeJS.ProcessEnv): Finding {
  const found = PROXIES.filter((name) => (env[name] ?? '') !== '');
  const about = { name: 'web proxy', needed: false } as const;
  const set = found.join(', ');
  if (env.TRAWL_USE_PROXY === '1' && found.length > 0) {
    const detail = `connections to the coordinator use ${set} (TRAWL_USE_PROXY=1); those to NATS do not`;
    return {
      ...about,
      state: 'warning',
      detail,
      fix: 'unset TRAWL_USE_PROXY if the coordinator can be reached directly',
    };
  }
  if (env.TRAWL_USE_PROXY === '1') {
    return { ...about, state: 'ok', detail: 'TRAWL_USE_PROXY=1 has no effect: no proxy variable is set' };
  }
  if (found.length === 0) return { ...about, state: 'ok', detail: 'none' };
  const detail = `connections to the coordinator and NATS ignore ${set}; TRAWL_USE_PROXY=1 enables it for the coordinator`;
  return { ...about, state: 'ok', detail };
}

/**
 * Returns the finding about the host name: whether it is suitable for agent ids, and for the addresses from which
 * Prometheus reads the metrics of agents.
 * @param resolves whether a lookup of the host name finds an address
 */
export function hostFinding(host: string, resolves: boolean): Finding {
  const about = { name: 'host name', needed: false } as const;
  const label = host.split('.')[0] ?? '';
  if (label === '' || label === 'localhost') {
    const fix = 'set the host name, or give each agent its own --id';
    return { ...about, state: 'warning', detail: `${JSON.stringify(host)} does not identify this machine`, fix };
  }
  const kind = host.includes('.') ? 'fully qualified' : 'not qualified with a domain';
  if (resolves) return { ...about, state: 'ok', detail: `${host} (${kind})` };
  const fix =
    'needed only if Prometheus runs on another machine: add the name to DNS or /etc/hosts, or use agent --metrics HOST:PORT';
  return { ...about, state: 'warning', detail: `${host} (${kind}) has no address`, fix };
}

/** Returns the finding about the start of users' programs: whether workers can start them without a fork. */
export function programStartFinding(loaded: LoadedPosixSpawn): Finding {
  const about = { name: 'program start', needed: false } as const;
  if (loaded.spawn !== undefined) return { ...about, state: 'ok', detail: 'with posix_spawn' };
  const detail = `with fork, which takes longer; posix_spawn cannot be used: ${loaded.problem}`;
  if (!loaded.mayBeTemporary) return { ...about, state: 'ok', detail };
  const fix = 'matters only for very short programs; posix_spawn needs the npm package koffi and glibc 2.29 or later';
  return { ...about, state: 'warning', detail, fix };
}

/** Facts about the id of the agent on this machine. */
export interface AgentIdFacts {
  /** The id in the agent's folder; undefined if no agent has used the folder. */
  readonly id: string | undefined;
  readonly host: string;
  /** The agents that the coordinator knows, or the reason why they could not be listed. */
  readonly agents: readonly Pick<Agent, 'id' | 'host' | 'state'>[] | string;
}

const AWAY: readonly AgentState[] = [AgentState.LOST, AgentState.LEFT];

/** Returns the finding about the agent's id: whether an agent on another host has the same id. */
export function agentIdFinding({ id, host, agents }: AgentIdFacts): Finding {
  const about = { name: 'agent id', needed: false } as const;
  if (id === undefined) {
    return { ...about, state: 'ok', detail: `a new agent gets an id such as ${newAgentId(host, '1a2b3c')}` };
  }
  if (typeof agents === 'string')
    return { ...about, state: 'ok', detail: `${id}; not compared with other agents: ${agents}` };
  const other = agents.find((agent) => agent.id === id && agent.host !== host && !AWAY.includes(agent.state));
  if (other === undefined) return { ...about, state: 'ok', detail: `${id}; no agent on another host has it` };
  const detail = `${id} is in use by the agent on host ${other.host}, so an agent here is rejected`;
  return {
    ...about,
    state: 'warning',
    detail,
    fix: 'use another --id; if the folder was copied from that host, use a new --dir too',
  };
}

/** Returns the finding for the certificate of an identity. @param dir the folder of the identity */
export function certificateFinding(dir: string, now: number): Finding {
  const name = 'certificate';
  const fix = 'renew it with "trawl certs renew", and copy cert.pem into the folder';
  try {
    const { expires } = certificateFacts(readFileSync(join(dir, IDENTITY_FILES.certificate)));
    const date = new Date(expires * 1_000).toISOString();
    switch (expiryState(expires, now)) {
      case 'expired':
        return { name, state: 'missing', detail: `expired on ${date}`, fix, needed: true };
      case 'soon':
        return { name, state: 'warning', detail: `expires on ${date}`, fix, needed: false };
      case 'valid':
        return { name, state: 'ok', detail: `valid until ${date}`, needed: false };
    }
  } catch (error) {
    const detail = `could not read ${join(dir, IDENTITY_FILES.certificate)}: ${errorMessage(error)}`;
    return { name, state: 'missing', detail, fix: 'create the identity with "trawl certs"', needed: true };
  }
}

export interface EnvironmentOptions extends Pick<ConnectOptions, 'server' | 'identity'> {
  /** The folder of the agent. */
  readonly agentDir: string;
  readonly env: NodeJS.ProcessEnv;
}

export async function environmentFindings({
  agentDir,
  env,
  ...connect
}: EnvironmentOptions): Promise<readonly Finding[]> {
  const host = hostname();
  const id = readAgentId(agentDir);
  const resolves = within(LOOKUP_LIMIT_MS, new Error('no answer'), lookup(host)).then(
    () => true,
    () => false,
  );
  const agents = id === undefined ? 'no agent has run here' : await agentsOf(connect);
  const identity = connect.identity || env.TRAWL_IDENTITY;
  const certificate = identity ? [certificateFinding(identity, Date.now())] : [];
  return [
    proxyFinding(env),
    hostFinding(host, await resolves),
    programStartFinding(loadPosixSpawn()),
    agentIdFinding({ id, host, agents }),
    ...certificate,
  ];
}

async function agentsOf(options: Pick<ConnectOptions, 'server' | 'identity'>): Promise<AgentIdFacts['agents']> {
  const late = new UnreachableError('the coordinator does not answer');
  try {
    return await within(LOOKUP_LIMIT_MS, late, withConnection(options, listAgents));
  } catch (error) {
    if (error instanceof TrawlError) return error instanceof UnreachableError ? late.message : errorMessage(error);
    throw error;
  }
}
