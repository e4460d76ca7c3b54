/** Wiring: configuration → store → decisions → transport. */

import { rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Address } from '../proto/address.ts';
import { closeNats, connectNats } from '../proto/connect-nats.ts';
import { watchDiskSpace } from '../proto/disk-space.ts';
import { ArtifactServiceService } from '../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../proto/gen/trawl/v1/attempt_service.ts';
import { OperationsServiceService } from '../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from '../proto/gen/trawl/v1/sweep_service.ts';
import { serveOperatorPages } from '../proto/operator-http.ts';
import { withoutSecrets } from '../proto/subjects.ts';
import { ADDRESS_FILE } from './address-file.ts';
import { agentControlOf, agentsOf } from './agent-control.ts';
import { ArtifactFiles } from './artifacts/files.ts';
import { snapshots } from './backup/snapshot.ts';
import { now } from './clock.ts';
import { logChange } from './commit-log.ts';
import { controlOf } from './control.ts';
import { explainWaiting } from './core/explain.ts';
import { type AttemptKey, keyText } from './core/model.ts';
import type { Output } from './core/step.ts';
import { agentTargets } from './metrics/agent-series.ts';
import { startCollecting } from './metrics/collect.ts';
import { coordinatorMetrics } from './metrics/families.ts';
import { introduceCalls, measuringInterceptor } from './metrics/grpc-calls.ts';
import { startRounds } from './rounds.ts';
import { Runtime } from './runtime.ts';
import { clusterName, openStore } from './store/open.ts';
import { artifactService } from './transport/artifact-service.ts';
import { AttemptService } from './transport/attempt-service.ts';
import { addReflection, Health } from './transport/introspection.ts';
import { Offers } from './transport/offers.ts';
import { operationsService } from './transport/operations-service.ts';
import { listen, newServer, refuseOpenDoors } from './transport/server.ts';
import { sweepService } from './transport/sweep-service.ts';

/** An agent may miss this many heartbeats before its leases expire. */
const HEARTBEATS_PER_LEASE = 5;

export interface CoordinatorOptions {
  readonly dir: string;
  readonly natsUrl: string;
  readonly listen: Address;
  readonly metrics: Address;
  readonly insecure: boolean;
  readonly leaseMs: number;
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
  refuseOpenDoors(options.listen, options.insecure);
  refuseOpenDoors(options.metrics, options.insecure);
  const db = openStore(options.dir);
  const cluster = clusterName(db);
  const metrics = coordinatorMetrics();
  const nats = await connectNats(options.natsUrl, `trawl coordinator ${cluster}`).catch((error: unknown) => {
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
  const attempts = new AttemptService({ runtime, files, cluster, heartbeatMs, metrics, log });
  const { version, trialMetrics } = options;
  const collecting = startCollecting(runtime, metrics, { version, trialMetrics });
  const stopDiskWatch = watchDiskSpace(options.dir, ({ free, size }) => {
    metrics.diskFree.set(free);
    metrics.diskSize.set(size);
  });

  const services = [SweepServiceService, ArtifactServiceService, AttemptServiceService, OperationsServiceService];
  introduceCalls(metrics, services);
  const server = newServer([measuringInterceptor(metrics)]);
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
    artifactService({ queries: runtime.queries, files, core: runtime.core, log }),
  );
  server.addService(AttemptServiceService, attempts.implementation);
  server.addService(
    OperationsServiceService,
    operationsService(agentControlOf(runtime), snapshots({ dir: options.dir, db, files, log }), log),
  );
  const address = await listen(server, options.listen);

  const onConnected = (connected: boolean) => setState({ connected });
  const stopRounds = await startRounds({ runtime, nats, offers, cluster, metrics, log, onConnected });
  setState({ started: true });

  const addressFile = join(options.dir, ADDRESS_FILE);
  const shown = `${address.host}:${address.port}`;
  writeFileSync(
    addressFile,
    `${JSON.stringify({ address: shown, metrics: `${pages.address.host}:${pages.address.port}`, pid: process.pid })}\n`,
  );
  log.info(
    { address: shown, metrics: pages.address.port, nats: withoutSecrets(options.natsUrl), cluster },
    'the coordinator is up',
  );

  return {
    address,
    metrics: pages.address,
    async stop() {
      stopRounds();
      rmSync(addressFile, { force: true });
      server.forceShutdown();
      pages.stop();
      stopDiskWatch();
      collecting.stop();
      runtime.flush();
      await closeNats(nats);
      db.close();
    },
  };
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
    case 'dismiss':
      attempts.dismiss(output.agentId, output.key, output.refusal);
      break;
    case 'drain':
      attempts.tellOfDrain(output.agentId);
      break;
  }
}
