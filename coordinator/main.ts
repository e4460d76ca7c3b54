/** Starts a coordinator with its store, core, transport and periodic work. */
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import type { Server } from '@grpc/grpc-js';
import type { Logger } from 'pino';
import { type AttemptKey, keyText } from '../lib/domain/attempt-key.ts';
import { removeCoordinatorFile, writeCoordinatorFile } from '../lib/files/coordinator-file.ts';
import { watchDiskSpace } from '../lib/files/disk-space.ts';
import { announceCoordinator, withdrawCoordinator } from '../lib/files/local-coordinators.ts';
import { claimPrivateFolder, tightenedText } from '../lib/files/private-files.ts';
import { ensureToken, NO_AUTH_TEXT, tokenFile } from '../lib/files/token-file.ts';
import { type Address, DEFAULT_NATS, isLoopback } from '../lib/net/address.ts';
import { awaitNats, closeNats } from '../lib/net/connect-nats.ts';
import { LiveIdentity } from '../lib/net/live-identity.ts';
import { SparseLog } from '../lib/net/sparse-log.ts';
import { ArtifactServiceService } from '../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../proto/gen/trawl/v1/attempt_service.ts';
import { CodeServiceService } from '../proto/gen/trawl/v1/code_service.ts';
import { OperationsServiceService } from '../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from '../proto/gen/trawl/v1/sweep_service.ts';
import { withoutSecrets } from '../proto/subjects.ts';
import { type AccessOptions, admission, checkAddresses, readServerIdentity, watchIdentities } from './app/access.ts';
import { agentControl, agentsOf } from './app/agent-control.ts';
import { withSamplerCheck } from './app/check-sampler.ts';
import { logChange } from './app/commit-log.ts';
import { type LoadedParts, type PageOptions, Readiness, servePages } from './app/operator-pages.ts';
import { type NatsPart, startRounds } from './app/rounds.ts';
import { now, Runtime } from './app/runtime.ts';
import type { CheckOptions } from './app/sampler-problem.ts';
import { sweepControl } from './app/sweep-control.ts';
import type { ArtifactStore } from './artifacts/artifact-store.ts';
import { CodeArchives, startCopying } from './artifacts/code-archives.ts';
import { type AttemptFileCleaner, attemptFileCleaner } from './artifacts/ended-attempts.ts';
import { InheritedCheckpoints, inheritedBy } from './artifacts/inherited-checkpoints.ts';
import { type OpenArtifacts, openArtifacts } from './artifacts/open-artifacts.ts';
import { ORPHANS_FOLDER } from './artifacts/orphans.ts';
import { SpaceLedger } from './artifacts/space-ledger.ts';
import { callerOf, Guard } from './auth/guard.ts';
import { RejectionLog } from './auth/rejections.ts';
import { watchRevocations } from './auth/revocation.ts';
import { snapshots } from './backup/snapshot.ts';
import { explainWaiting } from './core/explain.ts';
import { startOfAttempt } from './core/leases.ts';
import type { Output } from './core/step.ts';
import type { Leader } from './leader/leader.ts';
import { startCollecting } from './metrics/collect.ts';
import { type CoordinatorMetrics, coordinatorMetrics } from './metrics/families.ts';
import { callCounter, initializeCallSeries } from './metrics/grpc-calls.ts';
import { Pruner, pruneAll, startRetention } from './retention/prune.ts';
import { startSampler } from './search/optuna/process.ts';
import type { Commit } from './store/journal.ts';
import { SqliteStore } from './store/sqlite-store.ts';
import type { Store } from './store/store.ts';
import { artifactService } from './transport/artifact-service.ts';
import { AttemptService } from './transport/attempt-service.ts';
import { codeService } from './transport/code-service.ts';
import { concurrencyInterceptor } from './transport/concurrent-calls.ts';
import { listen } from './transport/listener.ts';
import { Offers, type StreamFill } from './transport/offers.ts';
import { operationsService } from './transport/operations-service.ts';
import { addReflection, Health, newServer, SERVICES } from './transport/server.ts';
import { CertaintyGate, UNCERTAIN_TEXT } from './transport/standby-service.ts';
import { sweepService } from './transport/sweep-service.ts';

const HEARTBEATS_PER_LEASE = 5;

/**
 * The maximum time in milliseconds for which an orderly stop waits for a write in progress, so that a standby leads
 * within 3 s.
 */
const HANDOVER_LIMIT_MS = 1_000;

const LOCAL_ARTIFACTS_TEXT =
  'artifacts are in the data folder, so the artifacts of the previous leader are missing if it used another folder: ' +
  'keep artifacts in an S3-compatible store with --artifacts';

export interface CoordinatorOptions extends AccessOptions, PageOptions {
  readonly dir: string;
  /**
   * The URL of a NATS server, or the comma-separated URLs of a cluster. Default: the servers that the identity names.
   * Without an identity, the default is the local server.
   */
  readonly natsUrl: string | undefined;
  /** Whether endpoints on the loopback address require the token of the data folder. */
  readonly requireToken: boolean;
  /**
   * The location of artifacts in an S3-compatible store. By default, the location that is recorded in the
   * store. If none is recorded, artifacts are in the data folder.
   */
  readonly artifacts: string | undefined;
  /** The URL of a PostgreSQL database for the store. By default, the store is a file in the data folder. */
  readonly store: string | undefined;
  /**
   * The address that is published to clients and agents while this coordinator leads. By default, the listening
   * address or, if the coordinator listens on all addresses, the name of the machine.
   */
  readonly advertise: Address | undefined;
  readonly leaseMs: number;
  /**
   * Sweeps that ended more than this many milliseconds ago are pruned. If undefined, no sweep is pruned automatically.
   */
  readonly retainMs: number | undefined;
  readonly version: string;
  /** Whether `/metrics` contains series for individual trials. */
  readonly trialMetrics: boolean;
  /** The folder of the .proto files, for gRPC reflection. */
  readonly protoDir: string;
  /** The Python interpreter that runs optuna searches. */
  readonly python: string;
  /**
   * Whether a sweep file may name a Python interpreter, or a sampler class from the author's own code. Both can run any
   * code on this machine.
   */
  readonly allowSamplerCode: boolean;
  /** Called when a write to the store fails. The process must then end. */
  readonly onBroken: (error: unknown) => void;
}

export interface RunningCoordinator {
  readonly address: Address;
  readonly metrics: Address;
  stop(): Promise<void>;
}

/**
 * Starts a coordinator, and resolves once the coordinator serves calls.
 * @param leader the leadership of this coordinator; required if the store is in PostgreSQL
 * @throws {BadInputError | RejectedError | UnreachableError}
 */
export async function startCoordinator(options: CoordinatorOptions, leader?: Leader): Promise<RunningCoordinator> {
  const { dir, log } = options;
  const identity = readServerIdentity(options);
  checkAddresses(options, identity);
  const identities = watchIdentities(options);
  if (claimPrivateFolder(dir)) log.warn(tightenedText(dir));
  const store = await openStore(options, leader, (problem) => {
    if (problem === undefined) log.info('the store answers again');
    else log.warn({ reason: problem }, 'the store does not answer');
    metrics.storeUp.set(problem === undefined ? 1 : 0);
    readiness.set('store', problem);
  });
  const { cluster } = store;
  const metrics = coordinatorMetrics();
  metrics.leading.set(1);
  metrics.storeUp.set(1);
  metrics.leaderEpoch.set(leader?.term.epoch ?? 0);
  if (identity === undefined) metrics.certificateExpiry.remove();
  else metrics.certificateExpiry.set(identity.expires);
  const natsUrl = options.natsUrl ?? identity?.servers.nats ?? DEFAULT_NATS;
  const rejections = new RejectionLog(metrics.authRejected, log);
  const ownToken = { token: ensureToken(dir), file: tokenFile(resolve(dir)) };
  const token = options.requireToken ? ownToken : undefined;
  if (!options.requireToken && identity === undefined && isLoopback(options.listen)) log.warn(NO_AUTH_TEXT);
  const guard = new Guard(admission(options, identities, token), (reason, facts) => rejections.record(reason, facts), {
    onAdmitted: (peer) => listener.authenticated(peer),
    onRejected: (peer) => listener.rejected(peer),
  });
  const gate = leader && new CertaintyGate(() => leader.isCertain);
  leader?.whenPaused(() => gate?.endCalls());
  const server = newServer(
    [...guard.interceptors, ...(gate === undefined ? [] : [gate.interceptor]), concurrencyInterceptor(callerOf)],
    callCounter(metrics),
  );
  const readiness = new Readiness(new Health(server, SERVICES));
  const onProblem = (part: NatsPart, problem: string | undefined) => readiness.set(part, problem);
  const uncertainty = () => (leader === undefined || leader.isCertain ? undefined : UNCERTAIN_TEXT);
  const loaded: LoadedParts = {};
  const pages = await servePages(options, identity, token, {
    loaded,
    metrics,
    readiness,
    rejections,
    uncertainty,
  }).catch(closing(() => store.close()));
  const artifacts = await openArtifacts(
    { store, dir, cluster, location: options.artifacts, log },
    {
      onRequest: (operation, seconds, problem) => measureStoreRequest(metrics, operation, seconds, problem),
      onProblem: (problem) => readiness.set('artifacts', problem),
    },
  ).catch(
    closing(() => {
      pages.stop();
      return store.close();
    }),
  );
  const nats = await awaitNats(natsUrl, `trawl coordinator ${cluster}`, identity, log, (problem) =>
    onProblem('connection', problem),
  ).catch(
    closing(() => {
      artifacts.close();
      pages.stop();
      return store.close();
    }),
  );
  const offers = new Offers(nats, cluster, log, (fill) => measureStream(metrics, fill));
  const samplers = { start: startSampler, python: options.python };
  const runtime = await Runtime.open({
    store,
    leaseMs: options.leaseMs,
    onBroken: options.onBroken,
    onReadFailed: (error) =>
      log.warn({ err: error }, 'could not read the store before a pass of the scheduler; retrying'),
    send: (output) => send(output, offers, attempts, cleaner),
    onPass: (seconds) => metrics.schedulerPass.observe(seconds),
    samplers: { ...samplers, allowsOwnCode: options.allowSamplerCode },
  });
  const { files } = artifacts;
  if (leader?.previous !== undefined && !artifacts.isRemote)
    log.warn({ previous: leader.previous }, LOCAL_ARTIFACTS_TEXT);
  if (!artifacts.isRemote) metrics.artifactStoreUp.remove();
  const archives = new CodeArchives(dir, artifacts.code);
  const stopCopying = startCopying(archives, log);
  const inherited = new InheritedCheckpoints(files, log);
  await inherited.add(await runtime.queries.artifacts.inherited());
  await moveOrphans(runtime, files, log);
  runtime.onCommit(commitFollower(inherited, files, log));
  const isClosing = (key: AttemptKey) => runtime.core.closing.has(keyText(key));
  const cleaner = attemptFileCleaner(runtime, files, isClosing, log);
  runtime.onCommit(cleaner.afterCommit);
  const heartbeatMs = Math.max(100, Math.floor(options.leaseMs / HEARTBEATS_PER_LEASE));
  const attempts = new AttemptService({
    ...{ runtime, files, cluster, heartbeatMs, metrics, guard, log },
    leaderEpoch: leader?.term.epoch ?? 0,
    onNewerLeader: () => leader?.check(),
  });
  const onUnread = (error: unknown) => log.error({ err: error }, 'could not read the figures of a sweep for /metrics');
  const collecting = startCollecting(runtime, metrics, { ...options, onError: onUnread });
  Object.assign(loaded, { runtime, collecting });
  const pruner = new Pruner(store, files, archives, {
    isLive: (id) => runtime.core.sweeps.has(id),
    exclusively: (operation) => runtime.exclusively(operation),
    write: (operation) => runtime.write(operation),
  });
  const stopRetention = options.retainMs === undefined ? () => {} : startRetention(pruner, options.retainMs, now, log);
  const stopDiskWatch = watchDiskSpace(dir, ({ free, size }) => {
    metrics.diskFree.set(free);
    metrics.diskSize.set(size);
  });

  initializeCallSeries(metrics, SERVICES);
  addReflection(server, options.protoDir);
  addServices(server, {
    ...{ runtime, samplers, artifacts, inherited, cleaner, archives, guard, attempts, pruner, dir, store, log },
  });
  const tooMany = new SparseLog(log, 'too many connections: closed one');
  const listener = await listen(server, options.listen, {
    identity,
    onRejected: (reason, from, detail) => rejections.record(reason, { from, detail }),
    authenticatesCalls: token !== undefined,
    onFull: (from) => tooMany.warn({ from }),
  });
  if (identity === undefined && isLoopback(listener)) announce(listener, { dir, nats: natsUrl }, log);
  const isKnownAgent = (agentId: string) => identities?.hasAgent(agentId) ?? true;
  const stopRevocations = identities === undefined ? () => {} : watchRevocations({ identities, guard, runtime, log });
  const live = identity && new LiveIdentity(identity, log);
  live?.watch((renewed) => {
    listener.renew(renewed);
    pages.renew(renewed);
    metrics.certificateExpiry.set(renewed.expires);
  });
  const stopRounds = await startRounds({
    runtime,
    nats,
    offers,
    cluster,
    metrics,
    rejections,
    isKnownAgent,
    onProblem,
    log,
  });
  readiness.set('start', undefined);

  const address = { host: listener.host, port: listener.port };
  leader?.moveTo(advertisedAddress(options, address));
  const tls = identity !== undefined;
  writeCoordinatorFile(dir, {
    address: localAddress(address),
    metrics: localAddress(pages.address),
    pid: process.pid,
    tls,
  });
  log.info(
    { address: localAddress(address), metrics: pages.address.port, tls, nats: withoutSecrets(natsUrl), cluster },
    'the coordinator is up',
  );

  return {
    address,
    metrics: pages.address,
    async stop() {
      stopRounds();
      stopRevocations();
      live?.stop();
      removeCoordinatorFile(dir);
      withdrawCoordinator(address);
      server.forceShutdown();
      listener.close();
      pages.stop();
      stopRetention();
      stopCopying();
      inherited.close();
      stopDiskWatch();
      collecting.stop();
      if (leader === undefined) await runtime.stop();
      // A standby cannot lead until the write in progress ends. The write can be abandoned, because it was not
      // acknowledged.
      else if (!(await runtime.stopWithin(HANDOVER_LIMIT_MS))) await store.abandonWrite();
      await leader?.release();
      artifacts.close();
      await closeNats(nats);
      await store.close();
    },
  };
}

/** Opens the store. The PostgreSQL client is loaded only if the store is in PostgreSQL. */
async function openStore(
  { store, dir }: CoordinatorOptions,
  leader: Leader | undefined,
  onProblem: (problem: string | undefined) => void,
): Promise<Store> {
  if (store === undefined) return SqliteStore.open(dir);
  if (leader === undefined) throw new Error('a coordinator with a store in PostgreSQL must lead');
  const { PostgresStore } = await import('./store/postgres/postgres-store.ts');
  return PostgresStore.open(store, dir, { term: leader.term, onProblem });
}

function measureStoreRequest(
  metrics: CoordinatorMetrics,
  operation: string,
  seconds: number,
  problem: Error | undefined,
): void {
  metrics.artifactStoreRequests.inc({ operation, outcome: problem === undefined ? 'ok' : 'error' });
  metrics.artifactStoreSeconds.observe(seconds);
  metrics.artifactStoreUp.set(problem === undefined ? 1 : 0);
}

function measureStream(metrics: CoordinatorMetrics, { messages, limit }: StreamFill): void {
  metrics.natsStreamMessages.set(messages);
  if (limit === undefined) metrics.natsStreamLimit.remove();
  else metrics.natsStreamLimit.set(limit);
}

/**
 * Moves aside the files that no row of the store names. The files of a running attempt are kept, because a record of
 * the attempt may still name them.
 */
async function moveOrphans(runtime: Runtime, files: ArtifactStore, log: Logger): Promise<void> {
  const moved = await files.moveOrphans(
    async (key, name) => runtime.core.leases.has(keyText(key)) || runtime.queries.artifacts.has(key, name),
    now(),
  );
  if (moved > 0) log.warn({ files: moved }, `moved files to ${ORPHANS_FOLDER}/, because no record names them`);
}

/**
 * Returns a function to call after each commit. The function logs the changes, copies inherited checkpoints, and
 * removes old checkpoints. An old checkpoint is removed only after it has been copied to the trials that continue from
 * it.
 */
function commitFollower(inherited: InheritedCheckpoints, files: ArtifactStore, log: Logger): (commit: Commit) => void {
  return ({ changes, dropped }) => {
    for (const change of changes) logChange(log, change);
    void inherited.add(inheritedBy(changes));
    for (const { key, name } of dropped) {
      inherited
        .released(key, name)
        .then(() => files.remove(key, name))
        .catch((error) => log.warn({ err: error, name }, 'could not remove an old checkpoint'));
    }
  };
}

function send(output: Output, offers: Offers, attempts: AttemptService, cleaner: AttemptFileCleaner): void {
  switch (output.kind) {
    case 'offer':
      void offers.publish(output);
      break;
    case 'revoke':
      attempts.revoke(output.agentId, output.key, output.refusal);
      break;
    case 'closed':
      cleaner.afterUpload(output.key);
      break;
    case 'drain':
      attempts.sendDrain(output.agentId);
      break;
    case 'return':
      attempts.sendReturn(output.agentId, output.keys);
      break;
    case 'pools':
      attempts.sendPools(output.agentId);
      break;
  }
}

interface ServiceParts {
  readonly runtime: Runtime;
  readonly samplers: CheckOptions;
  readonly artifacts: OpenArtifacts;
  readonly inherited: InheritedCheckpoints;
  readonly cleaner: AttemptFileCleaner;
  readonly archives: CodeArchives;
  readonly guard: Guard;
  readonly attempts: AttemptService;
  readonly pruner: Pruner;
  readonly dir: string;
  readonly store: Store;
  readonly log: Logger;
}

function addServices(server: Server, parts: ServiceParts): void {
  const { runtime, samplers, artifacts, inherited, cleaner, archives, guard, attempts, pruner, dir, store, log } =
    parts;
  const { files, quota } = artifacts;
  const { core, queries } = runtime;
  const space = SpaceLedger.of(dir);
  const source = {
    queries,
    agents: () => agentsOf(core, runtime.now()),
    explain: (sweepId: string, trialId: string) => explainWaiting(core, sweepId, trialId, now()),
    startOf: (key: AttemptKey) => startOfAttempt(core, key),
    onCommit: runtime.onCommit.bind(runtime),
  };
  const control = withSamplerCheck(sweepControl(runtime, archives), runtime, samplers);
  server.addService(SweepServiceService, sweepService(source, control, log));
  server.addService(
    ArtifactServiceService,
    artifactService({
      ...{ queries, files, inherited, core, guard, space, quota, log },
      onEndedUpload: cleaner.afterUpload,
    }),
  );
  server.addService(CodeServiceService, codeService({ archives, core, guard, space, log }));
  server.addService(AttemptServiceService, attempts.implementation);
  server.addService(
    OperationsServiceService,
    operationsService(
      agentControl(runtime),
      snapshots({ store, files, archives, log }),
      (request) => pruneAll(pruner, request, now()),
      log,
    ),
  );
}

/** Returns an error handler that calls `close` and then throws the error again. */
function closing(close: () => void | Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await close();
    throw error;
  };
}

function announce(address: Address, content: { dir: string; nats: string }, log: Logger): void {
  const problems = announceCoordinator(address, content);
  if (problems.length === 0) return;
  const advice = 'commands on this machine find the token only with --dir or --token-file';
  log.warn({ err: problems[0] }, `could not write to the runtime folder; ${advice}`);
}

/** Returns the HOST:PORT at which clients and agents reach a coordinator that listens at `address`. */
export function advertisedAddress({ advertise }: Pick<CoordinatorOptions, 'advertise'>, address: Address): string {
  const { host, port } = advertise ?? address;
  return `${host === '0.0.0.0' || host === '[::]' ? hostname() : host}:${port}`;
}

function localAddress({ host, port }: Address): string {
  return `${{ '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }[host] ?? host}:${port}`;
}
