/**
 * Starts an agent: determines the agent's id and the resources of the machine, and connects to NATS and the
 * coordinator.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism, hostname, uptime } from 'node:os';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsConnection } from 'nats';
import type { Logger } from 'pino';
import { claimPrivateFolder, tightenedText } from '../lib/files/private-files.ts';
import { ensureToken, tokenFile } from '../lib/files/token-file.ts';
import { type Address, isLoopback, parseAddress } from '../lib/net/address.ts';
import { awaitNats, closeNats } from '../lib/net/connect-nats.ts';
import type { BasicAuth, TokenAuth } from '../lib/net/http.ts';
import type { Identity } from '../lib/net/identity.ts';
import { LiveIdentity } from '../lib/net/live-identity.ts';
import { NatsState } from '../lib/net/nats-state.ts';
import type { TokenSources } from '../lib/net/token-source.ts';
import { errorMessage } from '../lib/text/error-message.ts';
import { BadInputError, RejectedError } from '../proto/errors.ts';
import { type Labels, labelProblem } from '../proto/limits.ts';
import { PROTOCOL } from '../proto/protocol.ts';
import { withoutSecrets } from '../proto/subjects.ts';
import { storedAgentId } from './agent-id.ts';
import { folderIdentity } from './folder-identity.ts';
import { type CardFigures, discoverGpus, type GpuDiscovery, GpuWatch } from './machine/gpus.ts';
import { MachineWatch } from './machine/machine-watch.ts';
import { machineMemoryBytes } from './machine/memory.ts';
import { isWasmOnly } from './machine/native-packages.ts';
import { type PackOption, requireFittingSlots, type SlotGpus, slotCount, slotGpus } from './machine/slots.ts';
import { gpuEnvironment, type VisibleGpu } from './machine/visible-gpus.ts';
import { type AgentPages, startAgentPages } from './metrics/agent-pages.ts';
import { type AgentParts, AgentRuntime } from './supervisor/agent.ts';
import { coordinatorClient } from './supervisor/coordinator-client.ts';
import { LeftoverPrograms } from './supervisor/leftover-programs.ts';
import { type LifetimeLimits, lifetimeEnd } from './supervisor/lifetime.ts';
import { sharePrograms } from './supervisor/program-workers.ts';
import { openSpool, type Spool } from './supervisor/spool.ts';
import { type WorkerEvents, WorkerProcess } from './supervisor/worker-process.ts';
import type { StartWorker } from './supervisor/workers.ts';
import { trainerNames } from './trainers/registry.ts';

export interface AgentOptions {
  readonly natsUrl: string;
  /** HOST:PORT of each coordinator; at least one. */
  readonly servers: readonly string[];
  /** The agent's certificate. Without an identity, TLS is not used, and the coordinator accepts any id. */
  readonly identity: Identity | undefined;
  /** Provides the tokens for coordinators on this machine. */
  readonly tokenOf: TokenSources;
  /** The path of the file from which the coordinator's token was read. */
  readonly tokenPath: string | undefined;
  /** Whether `/metrics` on the loopback address requires a token. */
  readonly requireToken: boolean;
  /** The number of slots. Undefined if `slotsPerGpu` or the machine determines the number of slots. */
  readonly slots: number | undefined;
  /**
   * The number of slots per GPU. If neither `slots` nor `slotsPerGpu` is given, there is one slot per GPU, or one per
   * core on a machine without GPUs.
   */
  readonly slotsPerGpu: number | undefined;
  readonly labels: Labels;
  readonly dir: string;
  readonly dataDir: string;
  /** The folder in which users' programs run, unless the sweep sends their code. */
  readonly workdir: string;
  readonly requireGpu: boolean;
  /** The maximum number of trials that a slot trains together, or `auto`. */
  readonly pack: PackOption;
  /**
   * The agent's id. By default, the id is the identity's name, or else the id stored in `dir`, or else a new id derived
   * from the host name.
   */
  readonly id: string | undefined;
  /** The address that serves `/metrics`. Undefined if `/metrics` is not served. */
  readonly metrics: Address | undefined;
  /** Credentials for `/metrics`. Undefined if no password is required. */
  readonly metricsAuth: BasicAuth | undefined;
  /** Accepted names in a Host header, in addition to the address, `localhost` and the name of the machine. */
  readonly metricsHosts: readonly string[];
  /** Whether `/metrics` is served over TLS, with the agent's certificate. */
  readonly metricsTls: boolean;
  /** Whether `/metrics` includes the measured values of the GPUs. */
  readonly gpuMetrics: boolean;
  /** Whether other machines may read `/metrics` without authentication. */
  readonly insecure: boolean;
  readonly version: string;
  readonly log: Logger;
}

export interface RunningAgent {
  readonly id: string;
  readonly slots: number;
  /** Rejects with a RejectedError if the coordinator permanently rejects this agent. */
  readonly rejected: Promise<never>;
  /** Resolves with the name of the limit (idle or total time) that the agent has reached. */
  untilOver(limits: LifetimeLimits): Promise<'idle-timeout' | 'max-time'>;
  /**
   * Takes no new trials, and stops the agent when no attempt runs. When the grace period expires, attempts that still
   * run are handed back.
   */
  leave(graceMs: number): Promise<void>;
  /** Hands back running attempts and stops the agent, even if it is already shutting down. */
  stop(): Promise<void>;
}

interface Resources {
  readonly gpus: readonly VisibleGpu[];
  readonly vendor: GpuDiscovery['vendor'];
  readonly cores: number;
  readonly slots: readonly SlotGpus[];
}

/** @throws {BadInputError | RejectedError | UnreachableError} */
export async function startAgent(given: AgentOptions): Promise<RunningAgent> {
  // Programs run in another folder, where a relative path would refer to a different file.
  const options = { ...given, dir: resolve(given.dir), dataDir: resolve(given.dataDir) };
  const { dir, identity, log, natsUrl, servers } = options;
  const server = servers.join(',');
  checkMetricsAccess(options);
  const problem = labelProblem(options.labels);
  if (problem !== undefined) throw new BadInputError(`--label: ${problem}`);
  if (claimPrivateFolder(dir)) log.warn(tightenedText(dir));
  const { damagedFile, spool } = openSpool(dir);
  if (damagedFile !== undefined) {
    log.error({ file: damagedFile }, 'the spool was damaged and moved aside; trials whose records were lost run again');
  }
  let nats: NatsConnection | undefined;
  let pages: AgentPages | undefined;
  let gpuWatch: GpuWatch | undefined;
  let machineWatch: MachineWatch | undefined;
  let agent: AgentRuntime | undefined;
  const live = identity && new LiveIdentity(identity, log);
  try {
    const id = identity === undefined ? storedAgentId(dir, options.id) : certifiedId(identity, options.id);
    const resources = await findResources(options);
    gpuWatch = resources.gpus.length > 0 ? new GpuWatch(resources.gpus) : undefined;
    const gpuFigures = () => gpuWatch?.figures ?? [];
    const machine = new MachineWatch(dir);
    machineWatch = machine;
    let natsProblem: () => string | undefined = () => undefined;
    pages = await startMetrics(options, id, {
      gpuFigures,
      spool,
      unreadyReason: () => natsProblem() ?? (agent === undefined ? 'the agent is starting' : agent.unreadyReason()),
    });
    nats = await awaitNats(natsUrl, 'trawl agent', identity, log, (problem) => {
      natsProblem = () => problem;
    });
    const onReconnect = () => pages?.countReconnect();
    const state = new NatsState(nats, log, { onReconnect });
    natsProblem = () => state.problem;
    const hello = helloOf(options, id, resources, pages);
    const leftovers = new LeftoverPrograms(hello.location, log);
    // Ends, in the background, the programs that an earlier process of the agent left behind.
    leftovers.endEarlier().catch(onLeftoverError(log));
    const started = new AgentRuntime({
      dir,
      server,
      hello,
      spool,
      nats,
      log,
      gpuFigures,
      machineFigures: () => machine.figures(),
      // If every coordinator is on this machine, the sleep of the machine is ignored, because the coordinators sleep
      // too, and no lease expires during the sleep.
      machineClock: servers.every((each) => isLoopback(parseAddress(each, '--server')))
        ? undefined
        : () => uptime() * 1000,
      connect: () => coordinatorClient(servers, () => live?.current, options.tokenOf),
      startWorker: workerStarter(options, resources, leftovers),
      onUnreadableOffer: () => pages?.countUnreadable('nats'),
      onDatasetUse: (use) => pages?.countDatasetUse(use),
    });
    agent = started;
    live?.watch((renewed) => {
      pages?.renew(renewed);
      started.renewIdentity();
    });
    const backend = await started.up().catch(async (error) => {
      await started.stop();
      throw error;
    });
    const slots = resources.slots.length;
    const summary = { agentId: id, slots, backend, nats: withoutSecrets(natsUrl), server, metrics: hello.metrics };
    log.info(summary, 'the agent is up');
    const connection = nats;
    let closed: Promise<void> | undefined;
    const close = () => {
      live?.stop();
      pages?.stop();
      gpuWatch?.stop();
      machineWatch?.stop();
      closed ??= closeNats(connection).then(() => spool.close());
      return closed;
    };
    return {
      id,
      slots,
      rejected: started.rejected,
      untilOver: (limits) => untilOver(started, limits),
      leave: (graceMs) => started.leave(graceMs).then(close),
      stop: () => started.stop().then(close),
    };
  } catch (error) {
    live?.stop();
    pages?.stop();
    gpuWatch?.stop();
    machineWatch?.stop();
    await nats?.close();
    spool.close();
    throw error;
  }
}

/** @throws {BadInputError | RejectedError} if the machine cannot have the requested number of slots */
async function findResources(options: AgentOptions): Promise<Resources> {
  const { gpus, found, vendor, problems, notes } = await discoverGpus();
  for (const problem of problems) options.log.warn({ visible: gpus.length, found }, problem);
  for (const note of notes) options.log.info({ visible: gpus.length, found }, note);
  const cores = availableParallelism();
  const slots = slotCount(options, gpus.length, cores);
  if (options.slots !== undefined || options.slotsPerGpu !== undefined)
    requireFittingSlots(slots, machineMemoryBytes());
  return { gpus, vendor, cores, slots: slotGpus(gpus, slots) };
}

async function startMetrics(
  options: AgentOptions,
  agentId: string,
  sources: { gpuFigures: () => readonly CardFigures[]; spool: Spool; unreadyReason: () => string | undefined },
): Promise<AgentPages | undefined> {
  const { metrics, metricsAuth, metricsHosts, metricsTls, identity, log, version, dir, dataDir, gpuMetrics } = options;
  if (metrics === undefined) return undefined;
  const isOpen = !options.requireToken || metricsTls || !isLoopback(metrics);
  return startAgentPages({
    at: metrics,
    auth: metricsAuth ?? (isOpen ? undefined : metricsToken(options)),
    hosts: metricsHosts,
    log,
    identity: metricsTls ? identity : undefined,
    agentId,
    version,
    dir,
    dataDir,
    certificateExpires: identity?.expires,
    gpuFigures: gpuMetrics ? sources.gpuFigures : () => [],
    spooled: () => sources.spool.size(),
    unreadyReason: sources.unreadyReason,
  });
}

/**
 * Returns the token that `/metrics` on the loopback interface requires. If the coordinator runs on this machine, the
 * agent uses the coordinator's token, so that Prometheus needs only one token. Otherwise the agent has its own token.
 */
function metricsToken({ dir, servers, tokenOf, tokenPath }: AgentOptions): TokenAuth {
  const answer = servers.map((server) => tokenOf(server)()).find(({ kind }) => kind === 'token');
  return answer?.kind === 'token'
    ? { token: answer.token, file: tokenPath ?? 'the data folder of the coordinator' }
    : { token: ensureToken(dir), file: tokenFile(dir) };
}

function helloOf(
  { dir, labels, version }: AgentOptions,
  agentId: string,
  { gpus, slots }: Resources,
  pages: AgentPages | undefined,
): AgentParts['hello'] {
  return {
    agentId,
    ...folderIdentity(dir),
    incarnation: randomBytes(8).toString('hex'),
    protocol: PROTOCOL,
    version,
    host: hostname(),
    slots: slots.length,
    gpus: gpus.map((gpu) => gpu.name),
    metrics: pages?.advertised ?? '',
    labels: { ...labels },
    slotFacts: slots.map((slot) => ({ gpus: slot.gpus.length, vramBytes: slot.vramBytes })),
    trainers: [...trainerNames()],
  };
}

function workerStarter(
  { dataDir, workdir, requireGpu, pack, log }: AgentOptions,
  { gpus, vendor, cores, slots }: Resources,
  leftovers: LeftoverPrograms,
): StartWorker {
  const setup = {
    dataDir,
    workdir: resolve(workdir),
    requireGpu,
    gpus: gpus.filter(({ vendor }) => vendor === 'nvidia').length,
    cores,
    slots: slots.length,
    pack,
    acceptsStarted: true,
    acceptsLogs: true,
    loadsOnDemand: isWasmOnly({ gpus: gpus.length, requireGpu }, process.env),
  };
  const start = (slot: number, events: WorkerEvents) => {
    const { gpus: own, sharedBy: gpuSharedBy } = slots[slot] ?? { gpus: [], sharedBy: 1 };
    const marker = leftovers.markerOfWorker();
    const onExit = (how: string) => {
      events.onExit(how);
      leftovers.endOf(marker).catch(onLeftoverError(log));
    };
    return new WorkerProcess({ ...setup, gpuSharedBy, marker }, gpuEnvironment(vendor, own), { ...events, onExit });
  };
  return setup.loadsOnDemand && slots.length > cores ? sharePrograms(start, cores, log) : start;
}

const onLeftoverError = (log: Logger) => (error: unknown) =>
  log.error({ error: errorMessage(error) }, 'could not end the processes of programs whose worker is dead');

const LIFETIME_POLL_MS = 500;

async function untilOver(agent: AgentRuntime, limits: LifetimeLimits): Promise<'idle-timeout' | 'max-time'> {
  const upSince = performance.now();
  for (;;) {
    const upMs = performance.now() - upSince;
    // The time until the workers have started is not idle time.
    const end = lifetimeEnd(limits, { upMs, idleMs: Math.min(upMs, agent.idleMs()) });
    if (end !== undefined) return end;
    await sleep(LIFETIME_POLL_MS, undefined, { ref: false });
  }
}

function certifiedId({ name }: Identity, requested: string | undefined): string {
  if (requested === undefined || requested === name) return name;
  throw new BadInputError(`--id is ${requested}, but the certificate is for agent ${name}; omit --id`);
}

/**
 * @throws {RejectedError} when other machines could read `/metrics` without authentication
 * @throws {BadInputError} when `metricsTls` is set without an identity
 */
function checkMetricsAccess({ metrics, metricsAuth, metricsTls, identity, insecure }: AgentOptions): void {
  if (metricsTls && identity === undefined) throw new BadInputError('--metrics-tls requires --identity');
  const isProtected = metricsTls || metricsAuth !== undefined;
  if (metrics === undefined || isLoopback(metrics) || isProtected || insecure) return;
  throw new RejectedError(
    `other machines can reach ${metrics.host}:${metrics.port}, and /metrics there requires no authentication: use ` +
      '--metrics-tls or --metrics-user with a password, serve it on 127.0.0.1, or accept this on a trusted network with --insecure',
  );
}
