/** A coordinator's services on a real socket and a real store, without NATS: offers are handed to the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import type { Address } from '../../proto/address.ts';
import { ArtifactServiceService } from '../../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { ArtifactFiles } from '../artifacts/files.ts';
import { controlOf } from '../control.ts';
import { explainWaiting } from '../core/explain.ts';
import type { AttemptKey } from '../core/model.ts';
import { coordinatorMetrics } from '../metrics/families.ts';
import { Runtime } from '../runtime.ts';
import { clusterName, openStore } from '../store/open.ts';
import { artifactService } from '../transport/artifact-service.ts';
import { AttemptService } from '../transport/attempt-service.ts';
import { listen, newServer } from '../transport/server.ts';
import { sweepService } from '../transport/sweep-service.ts';
import { LEASE_MS } from './sample-core.ts';

export interface Served {
  readonly runtime: Runtime;
  readonly metrics: ReturnType<typeof coordinatorMetrics>;
  readonly address: string;
  readonly cluster: string;
  /** Every offer made, oldest first. */
  readonly offers: AttemptKey[];
  /** Everything that broke the store. */
  readonly broken: unknown[];
  stop(): void;
}

export const INSECURE: ChannelCredentials = credentials.createInsecure();

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'trawl-coordinator-'));
}

/**
 * @param dir a folder that no store of this process was open in: libsql keeps a closed store's lock
 * @param at where to listen; a free port of the loopback unless said
 */
export async function serve(dir: string, at: Address = { host: '127.0.0.1', port: 0 }): Promise<Served> {
  const db = openStore(dir);
  const cluster = clusterName(db);
  const log = pino({ level: 'silent' });
  const metrics = coordinatorMetrics();
  const offers: AttemptKey[] = [];
  const broken: unknown[] = [];
  const files = new ArtifactFiles(dir);
  const runtime: Runtime = new Runtime({
    db,
    leaseMs: LEASE_MS,
    onBroken: (error) => broken.push(error),
    send: (output) => {
      if (output.kind === 'offer') offers.push(output.key);
      else if (output.kind === 'drain') attempts.tellOfDrain(output.agentId);
      else attempts.dismiss(output.agentId, output.key, output.refusal);
    },
  });
  const attempts = new AttemptService({ runtime, files, cluster, heartbeatMs: 1_000, metrics, log });
  const source = {
    queries: runtime.queries,
    agents: () => [],
    explain: (sweepId: string, trialId: string) => explainWaiting(runtime.core, sweepId, trialId, runtime.now()),
    onCommit: runtime.onCommit.bind(runtime),
  };
  const server = newServer();
  server.addService(
    ArtifactServiceService,
    artifactService({ queries: runtime.queries, files, core: runtime.core, log }),
  );
  server.addService(AttemptServiceService, attempts.implementation);
  server.addService(SweepServiceService, sweepService(source, controlOf(runtime), log));
  const { host, port } = await listen(server, at);
  return {
    runtime,
    metrics,
    address: `${host}:${port}`,
    cluster,
    offers,
    broken,
    stop() {
      server.forceShutdown();
      runtime.flush();
      db.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** A sweep file of `trials` no-op trials. */
export function noopSweep(trials: number, more = ''): string {
  const values = Array.from({ length: trials }, (_, x) => x).join(', ');
  return `name: sample\nmethod: grid\ntrainer: noop\nmetric: {name: test_loss, goal: minimize}\nparameters:\n  x: {values: [${values}]}\n${more}`;
}
