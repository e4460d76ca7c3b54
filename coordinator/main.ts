/** Wiring: configuration → store → decisions → transport. */

import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { type AttemptKey, keyText } from '../lib/domain/attempt-key.ts';
import { removeCoordinatorFile, writeCoordinatorFile } from '../lib/files/coordinator-file.ts';
import { watchDiskSpace } from '../lib/files/disk-space.ts';
import { type Address, DEFAULT_NATS } from '../lib/net/address.ts';
import { closeNats, connectNats } from '../lib/net/connect-nats.ts';
import type { BasicAuth } from '../lib/net/http.ts';
import { serveOperatorPages } from '../lib/net/http.ts';
import { readIdentity } from '../lib/net/identity.ts';
import { BadInputError } from '../proto/errors.ts';
import { ArtifactServiceService } from '../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../proto/gen/trawl/v1/attempt_service.ts';
import { OperationsServiceService } from '../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from '../proto/gen/trawl/v1/sweep_service.ts';
import { COORDINATOR, withoutSecrets } from '../proto/subjects.ts';
import { agentControlOf, agentsOf } from './app/agent-control.ts';
import { logChange } from './app/commit-log.ts';
import { startRounds } from './app/rounds.ts';
import { now, Runtime } from './app/runtime.ts';
import { controlOf } from './app/sweep-control.ts';
import { ArtifactFiles } from './artifacts/files.ts';
import { Guard } from './auth/guard.ts';
import { Identities } from './auth/identities.ts';
import { RejectionLog } from './auth/rejections.ts';
import { snapshots } from './backup/snapshot.ts';
import { explainWaiting } from './core/explain.ts';
import type { Output } from './core/step.ts';
import { agentTargets } from './metrics/agent-series.ts';
import { startCollecting } from './metrics/collect.ts';
import { coordinatorMetrics } from './metrics/families.ts';
import { callCounter, introduceCalls } from './metrics/grpc-calls.ts';
import { Pruner, startRetaining } from './retention/prune.ts';
import { clusterName, openStore } from './store/open.ts';
import { artifactService } from './transport/artifact-service.ts';
import { AttemptService } from './transport/attempt-service.ts';
import { listen } from './transport/listener.ts';
import { Offers } from './transport/offers.ts';
import { operationsService } from './transport/operations-service.ts';
import { addReflection, checkExposure, Health, newServer } from './transport/server.ts';
import { sweepService } from './transport/sweep-service.ts';

/** An agent may miss this many heartbeats before its leases expire. */
const HEARTBEATS_PER_LEASE = 5;

export interface CoordinatorOptions {
  readonly dir: string;
  /** One server, or several of a cluster with commas between; undefined: the identity's, else the usual one. */
  readonly natsUrl: string | undefined;
  readonly listen: Address;
  readonly metrics: Address;
  /** The folder of the server's identity: with it, TLS is spoken, and only who is known in it comes in. */
  readonly identityDir: string | undefined;
  /** Accepts that other machines reach what is neither encrypted nor authenticated. */
  readonly insecure: boolean;
  /** Who may read the metrics; undefined: whoever reaches them. */
  readonly metricsAuth: BasicAuth | undefined;
  /** Whether the metrics are served over TLS, with the server's certificate. */
  readonly metricsTls: boolean;
  readonly leaseMs: number;
  /** Sweeps that have been over for so long are pruned; undefined: none is. */
  readonly retainMs: number | undefined;
  readonly version: string;
  /** Whether `/metrics` has series of single trials. */
  readonly trialMetrics: boolean;
  /** The folder of the wire's files, for gRPC reflection. */
  readonly protoDir: string;
  readonly log: Logger;
  /** Called when the coordinator cannot go on; the process should end. */
  readonly onBroken: (error: unknown) => void;
}

export interface RunningCoordinator {
  readonly address: Address;
  readonly metrics: Address;
  stop(): Promise<void>;
}

/** @throws {RefusedError | UnreachableError} */
export async function startCoordinator(options: CoordinatorOptions): Promise<RunningCoordinator> {
  const { log, leaseMs } = options;
  const { identityDir, insecure, metricsAuth, metricsTls } = options;
  const identity = identityDir === undefined ? undefined : readIdentity(identityDir, [COORDINATOR]);
  if (metricsTls && identity === undefined) throw new BadInputError('--metrics-tls needs an --identity to show');
  const natsUrl = options.natsUrl ?? identity?.servers.nats ?? DEFAULT_NATS;
  checkExposure(options.listen, insecure, identity !== undefined, 'give it an --identity (see "trawl certs")');
  checkExposure(
    options.metrics,
    insecure,
    metricsTls || metricsAuth !== undefined,
    'give it --metrics-tls, or --metrics-user with a password',
  );
  const identities =
    identityDir === undefined
      ? undefined
      : new Identities(identityDir, (error) => log.error({ err: error }, 'who may come cannot be read any more'));
  const db = openStore(options.dir);
  const cluster = clusterName(db);
  const metrics = coordinatorMetrics();
  if (identity === undefined) metrics.certificateExpiry.remove();
  else metrics.certificateExpiry.set(identity.expires);
  const nats = await connectNats(natsUrl, `trawl coordinator ${cluster}`, identity).catch((error: unknown) => {
    db.close();
    throw error;
  });
  const offers = new Offers(nats, cluster, log, ({ messages, limit }) => {
    metrics.natsStreamMessages.set(messages);
    if (limit === undefined) metrics.natsStreamLimit.remove();
    else metrics.natsStreamLimit.set(limit);
  });
  const runtime = new Runtime({
    db,
    leaseMs,
    onBroken: options.onBroken,
    send: (output) => send(output, offers, attempts),
    onPass: (seconds) => metrics.schedulerPass.observe(seconds),
  });
  const heartbeatMs = Math.max(100, Math.floor(leaseMs / HEARTBEATS_PER_LEASE));
  const files = new ArtifactFiles(options.dir);
  const orphans = await files.removeOrphans((key, name) => countsAsArtifact(runtime, key, name));
  if (orphans > 0) log.info({ orphans }, 'files that no artifact names were removed');
  runtime.onCommit(({ changes, dropped }) => {
    for (const change of changes) logChange(log, change);
    for (const { key, name } of dropped) {
      files.remove(key, name).catch((error) => log.warn({ err: error, name }, 'an old checkpoint was not removed'));
    }
  });
  const rejections = new RejectionLog(metrics.authRefused, log);
  const guard = new Guard(identities, (reason, facts) => rejections.record(reason, facts));
  const attempts = new AttemptService({ runtime, files, cluster, heartbeatMs, metrics, guard, log });
  const { version, trialMetrics } = options;
  const collecting = startCollecting(runtime, metrics, { version, trialMetrics });
  const pruner = new Pruner(db, files, (id) => runtime.core.sweeps.has(id));
  const stopRetaining = options.retainMs === undefined ? () => {} : startRetaining(pruner, options.retainMs, now, log);
  const stopDiskWatch = watchDiskSpace(options.dir, ({ free, size }) => {
    metrics.diskFree.set(free);
    metrics.diskSize.set(size);
  });

  const services = [SweepServiceService, ArtifactServiceService, AttemptServiceService, OperationsServiceService];
  introduceCalls(metrics, services);
  const server = newServer(guard.interceptors, callCounter(metrics));
  const health = new Health(server, services);
  addReflection(server, options.protoDir);
  const state = { started: false, connected: true };
  const unready = () =>
    state.connected ? (state.started ? undefined : 'the coordinator is starting') : 'the connection to NATS is lost';
  const setState = (change: Partial<typeof state>) => {
    Object.assign(state, change);
    health.set(unready() === undefined);
  };
  const pages = await serveOperatorPages(
    {
      registry: metrics.registry,
      measure: collecting.measure,
      unready,
      json: { '/sd': () => agentTargets(runtime.core, hostname(), now()) },
    },
    options.metrics,
    {
      auth: metricsAuth,
      identity: metricsTls ? identity : undefined,
      onRefused: (from, why) => rejections.record('metrics', { from, why }),
    },
  );
  const source = {
    queries: runtime.queries,
    agents: () => agentsOf(runtime.core),
    explain: (sweepId: string, trialId: string) => explainWaiting(runtime.core, sweepId, trialId, now()),
    onCommit: runtime.onCommit.bind(runtime),
  };
  server.addService(SweepServiceService, sweepService(source, controlOf(runtime), log));
  server.addService(
    ArtifactServiceService,
    artifactService({ queries: runtime.queries, files, core: runtime.core, guard, log }),
  );
  server.addService(AttemptServiceService, attempts.implementation);
  server.addService(
    OperationsServiceService,
    operationsService(
      agentControlOf(runtime),
      snapshots({ dir: options.dir, db, files, log }),
      (wanted) => pruner.prune(wanted, now()),
      log,
    ),
  );
  const listener = await listen(server, options.listen, {
    identity,
    onRejected: (reason, from, detail) => rejections.record(reason, { from, detail }),
    onFull: (from) => log.warn({ from }, 'a connection too many was closed'),
  });
  const address = { host: listener.host, port: listener.port };

  const onConnected = (connected: boolean) => setState({ connected });
  const stopRounds = await startRounds({ runtime, nats, offers, cluster, metrics, rejections, log, onConnected });
  setState({ started: true });

  const shown = reachable(address);
  const tls = identity !== undefined;
  writeCoordinatorFile(options.dir, { address: shown, metrics: reachable(pages.address), pid: process.pid, tls });
  log.info(
    { address: shown, metrics: pages.address.port, tls, nats: withoutSecrets(natsUrl), cluster },
    'the coordinator is up',
  );

  return {
    address,
    metrics: pages.address,
    async stop() {
      stopRounds();
      removeCoordinatorFile(options.dir);
      server.forceShutdown();
      listener.close();
      pages.stop();
      stopRetaining();
      stopDiskWatch();
      collecting.stop();
      runtime.flush();
      await closeNats(nats);
      db.close();
    },
  };
}

/** Where a program of this machine finds what listens there. */
function reachable({ host, port }: Address): string {
  return `${{ '0.0.0.0': '127.0.0.1', '[::]': '[::1]' }[host] ?? host}:${port}`;
}

/** A running attempt may still come to name what it has brought. */
function countsAsArtifact(runtime: Runtime, key: AttemptKey, name: string): boolean {
  return runtime.core.leases.has(keyText(key)) || runtime.queries.hasArtifact(key, name);
}

function send(output: Output, offers: Offers, attempts: AttemptService): void {
  switch (output.kind) {
    case 'offer':
      void offers.publish(output);
      break;
    case 'revoke':
      attempts.revoke(output.agentId, output.key, output.refusal);
      break;
    case 'drain':
      attempts.tellOfDrain(output.agentId);
      break;
  }
}
