/** Wiring of an agent: who it is, what the machine has, and whom it works for. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, hostname } from 'node:os';
import { join, resolve } from 'node:path';
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { type Address, isLoopback } from '../lib/net/address.ts';
import type { BasicAuth } from '../lib/net/basic-auth.ts';
import { closeNats, connectNats } from '../lib/net/connect-nats.ts';
import type { Identity } from '../lib/net/identity.ts';
import { BadInputError, RefusedError } from '../proto/errors.ts';
import { type Labels, labelProblem } from '../proto/labels.ts';
import { AGENT_ID, withoutSecrets } from '../proto/subjects.ts';
import type { DatasetUse } from './data/use.ts';
import { GpuWatch } from './machine/gpu-watch.ts';
import { listGpus } from './machine/gpus.ts';
import type { PackOption } from './machine/pack-size.ts';
import { slotCount } from './machine/slot-count.ts';
import { slotGpus } from './machine/slot-gpus.ts';
import { type Operator, startOperator } from './metrics/operator.ts';
import { Agent } from './supervisor/agent.ts';
import { linkTo } from './supervisor/link.ts';
import { openSpool } from './supervisor/spool-file.ts';
import { WorkerProcess } from './supervisor/worker-process.ts';
import { trainerNames } from './trainers/registry.ts';

/** The protocol that this agent speaks. */
const PROTOCOL = 2;

export interface AgentOptions {
  readonly natsUrl: string;
  /** HOST:PORT of the coordinator. */
  readonly server: string;
  /** Who the agent is, and how it shows that; undefined: whoever it says, without TLS. */
  readonly identity: Identity | undefined;
  /** Undefined: as `slotsPerGpu` says. */
  readonly slots: number | undefined;
  /** Undefined: one for each GPU, or for each core where there is none. */
  readonly slotsPerGpu: number | undefined;
  readonly labels: Labels;
  readonly dir: string;
  readonly dataDir: string;
  /** The folder in which the user's programs run. */
  readonly workdir: string;
  readonly requireGpu: boolean;
  /** Trials that a slot trains together. */
  readonly pack: PackOption;
  /** Undefined: the identity's, the one kept in `dir`, or a new one made of the host's name. */
  readonly id: string | undefined;
  /** Where it serves `/metrics`; undefined: nowhere. */
  readonly metrics: Address | undefined;
  /** Who may read it; undefined: whoever reaches it. */
  readonly metricsAuth: BasicAuth | undefined;
  /** Whether it is served over TLS, with the agent's certificate. */
  readonly metricsTls: boolean;
  /** Whether `/metrics` tells of the GPUs. */
  readonly gpuMetrics: boolean;
  /** Accepts that other machines reach `/metrics`. */
  readonly insecure: boolean;
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
  refuseOpenMetrics(options);
  const problem = labelProblem(options.labels);
  if (problem !== undefined) throw new BadInputError(`--label: ${problem}`);
  const { setAside, spool } = openSpool(dir);
  if (setAside !== undefined) {
    log.error({ file: setAside }, 'the spool was damaged and was set aside: what it held is run again');
  }
  let nats: NatsConnection | undefined;
  let operator: Operator | undefined;
  let gpuWatch: GpuWatch | undefined;
  let agent: Agent | undefined;
  try {
    const id = identity === undefined ? agentId(dir, options.id) : certified(identity, options.id);
    const gpus = await listGpus();
    gpuWatch = gpus.length > 0 ? new GpuWatch() : undefined;
    const gpuFigures = () => gpuWatch?.figures ?? [];
    const cores = availableParallelism();
    const slots = slotCount(options, gpus.length, cores);
    const perSlot = slotGpus(gpus, slots);
    nats = await connectNats(natsUrl, 'trawl agent', identity);
    operator =
      options.metrics &&
      (await startOperator({
        ...{ at: options.metrics, auth: options.metricsAuth, log },
        identity: options.metricsTls ? identity : undefined,
        ...{ agentId: id, version: options.version, dir, dataDir: options.dataDir },
        certificateExpires: identity?.expires,
        gpuFigures: options.gpuMetrics ? gpuFigures : () => [],
        spooled: () => spool.size(),
        unready: () => (agent === undefined ? 'the agent is starting' : agent.unready()),
      }));
    void operator?.countReconnects(nats);
    const hello = {
      agentId: id,
      incarnation: randomBytes(8).toString('hex'),
      protocol: PROTOCOL,
      version: options.version,
      host: hostname(),
      slots,
      gpus: gpus.map((gpu) => gpu.name),
      metrics: operator?.advertised ?? '',
      labels: { ...options.labels },
      slotFacts: perSlot.map(({ indexes, vramBytes }) => ({ gpus: indexes.length, vramBytes })),
      trainers: [...trainerNames()],
    };
    const setup = {
      ...{ dataDir: options.dataDir, workdir: resolve(options.workdir), requireGpu, gpus: gpus.length, cores, slots },
      pack: options.pack,
    };
    const started = new Agent({
      ...{ dir, server, hello, spool, nats, log, gpuFigures },
      connect: () => linkTo(server, identity),
      startWorker: (slot, events) => {
        const { indexes, sharedBy: gpuSharedBy } = perSlot[slot] ?? { indexes: [], sharedBy: 1 };
        return new WorkerProcess({ ...setup, gpuSharedBy }, indexes, events);
      },
      onUnreadableOffer: () => operator?.couldNotRead('nats'),
      onDatasetUse: (use: DatasetUse) => operator?.datasetUsed(use),
    });
    agent = started;
    const backend = await started.up().catch(async (error) => {
      await started.stop();
      throw error;
    });
    const shown = { agentId: id, slots, backend, nats: withoutSecrets(natsUrl), server, metrics: hello.metrics };
    log.info(shown, 'the agent is up');
    const connection = nats;
    let closed: Promise<void> | undefined;
    const close = () => {
      operator?.stop();
      gpuWatch?.stop();
      closed ??= closeNats(connection).then(() => spool.close());
      return closed;
    };
    return {
      id,
      slots,
      refused: started.refused,
      leave: (graceMs) => started.leave(graceMs).then(close),
      stop: () => started.stop().then(close),
    };
  } catch (error) {
    operator?.stop();
    gpuWatch?.stop();
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

/** @throws {RefusedError | BadInputError} */
function refuseOpenMetrics({ metrics, metricsAuth, metricsTls, identity, insecure }: AgentOptions): void {
  if (metricsTls && identity === undefined) throw new BadInputError('--metrics-tls needs an --identity to show');
  const asks = metricsTls || metricsAuth !== undefined;
  if (metrics === undefined || isLoopback(metrics) || asks || insecure) return;
  throw new RefusedError(
    `${metrics.host}:${metrics.port} can be reached by other machines, and /metrics asks nobody who comes: give it ` +
      '--metrics-tls, or --metrics-user with a password, serve it on 127.0.0.1, or accept it with --insecure on a network that you trust',
  );
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
