/** Wiring of an agent: who it is, what the machine has, and whom it works for. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { channelTo } from '../proto/channel.ts';
import { closeNats, connectNats } from '../proto/connect-nats.ts';
import { BadInputError } from '../proto/errors.ts';
import type { Identity } from '../proto/identity.ts';
import { AGENT_ID, withoutSecrets } from '../proto/subjects.ts';
import { listGpus } from './machine/gpus.ts';
import type { PackOption } from './machine/pack-size.ts';
import { Agent } from './supervisor/agent.ts';
import { Spool } from './supervisor/spool.ts';

/** The protocol that this agent speaks. */
const PROTOCOL = 1;

export interface AgentOptions {
  readonly natsUrl: string;
  /** HOST:PORT of the coordinator. */
  readonly server: string;
  /** Who the agent is, and how it shows that; undefined: whoever it says, without TLS. */
  readonly identity: Identity | undefined;
  /** Undefined: one for each GPU, or for each core where there is none. */
  readonly slots: number | undefined;
  readonly dir: string;
  readonly dataDir: string;
  /** The folder in which the user's programs run. */
  readonly workdir: string;
  readonly requireGpu: boolean;
  /** Trials that a slot trains together. */
  readonly pack: PackOption;
  /** Undefined: the identity's, the one kept in `dir`, or a new one made of the host's name. */
  readonly id: string | undefined;
  readonly version: string;
  readonly log: Logger;
}

export interface RunningAgent {
  readonly id: string;
  readonly slots: number;
  /** Rejects with a RefusedError when the coordinator will have nothing to do with this agent. */
  readonly refused: Promise<never>;
  /** Takes nothing new, and ends when nothing runs; what still does after the grace is handed back. */
  leave(graceMs: number): Promise<void>;
  /** Hands back what runs, and ends; while it leaves, too. */
  stop(): Promise<void>;
}

/** @throws {BadInputError | RefusedError | UnreachableError} */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const { dir, identity, log, natsUrl, requireGpu, server } = options;
  const spool = new Spool(dir);
  let nats: NatsConnection | undefined;
  try {
    const gpus = await listGpus();
    const cores = availableParallelism();
    const slots = options.slots ?? (gpus.length || cores);
    nats = await connectNats(natsUrl, 'trawl agent', identity);
    const hello = {
      agentId: identity === undefined ? agentId(dir, options.id) : certified(identity, options.id),
      incarnation: randomBytes(8).toString('hex'),
      protocol: PROTOCOL,
      version: options.version,
      host: hostname(),
      slots,
      gpus: gpus.map((gpu) => gpu.name),
    };
    const setup = {
      ...{ dataDir: options.dataDir, workdir: resolve(options.workdir), requireGpu, gpus: gpus.length, cores, slots },
      pack: options.pack,
    };
    const agent = new Agent({ dir, server, hello, setup, spool, nats, channel: channelTo(server, identity), log });
    const backend = await agent.up().catch(async (error) => {
      await agent.stop();
      throw error;
    });
    log.info({ agentId: hello.agentId, slots, backend, nats: withoutSecrets(natsUrl), server }, 'the agent is up');
    const connection = nats;
    let closed: Promise<void> | undefined;
    const close = () => {
      closed ??= closeNats(connection).then(() => spool.close());
      return closed;
    };
    return {
      id: hello.agentId,
      slots,
      refused: agent.refused,
      leave: (graceMs) => agent.leave(graceMs).then(close),
      stop: () => agent.stop().then(close),
    };
  } catch (error) {
    await nats?.close();
    spool.close();
    throw error;
  }
}

/** @throws {BadInputError} when it is asked to be another than its certificate says */
function certified({ name }: Identity, given: string | undefined): string {
  if (given === undefined || given === name) return name;
  throw new BadInputError(`--id is ${given}, but the identity is that of agent ${name}: leave --id out`);
}

/** The same folder is the same agent, so that its spool finds its way home. */
function agentId(dir: string, given: string | undefined): string {
  const file = join(dir, 'agent-id');
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  const id =
    given ??
    kept ??
    `${hostname()
      .replace(/[^A-Za-z0-9_-]/g, '-')
      .slice(0, 48)}-${randomBytes(3).toString('hex')}`;
  if (!AGENT_ID.test(id)) {
    throw new BadInputError(`${JSON.stringify(id)} cannot name an agent: letters, digits, _ and -, at most 64`);
  }
  if (id !== kept) {
    mkdirSync(dir, { recursive: true });
    writeFileSync(file, `${id}\n`);
  }
  return id;
}
