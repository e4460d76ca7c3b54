/** A coordinator's services with a real socket and a real store, without NATS. Collects the offers for the test. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { pino } from 'pino';
import { Runtime } from '../../../coordinator/app/runtime.ts';
import { sweepControl } from '../../../coordinator/app/sweep-control.ts';
import type { ArtifactStore } from '../../../coordinator/artifacts/artifact-store.ts';
import { CodeArchives } from '../../../coordinator/artifacts/code-archives.ts';
import { attemptFileCleaner } from '../../../coordinator/artifacts/ended-attempts.ts';
import { ArtifactFiles } from '../../../coordinator/artifacts/files.ts';
import type { InheritedCheckpoints } from '../../../coordinator/artifacts/inherited-checkpoints.ts';
import { SpaceLedger } from '../../../coordinator/artifacts/space-ledger.ts';
import { admit } from '../../../coordinator/auth/admit.ts';
import { callerOf, Guard } from '../../../coordinator/auth/guard.ts';
import { Identities } from '../../../coordinator/auth/identities.ts';
import { RejectionLog } from '../../../coordinator/auth/rejections.ts';
import { watchRevocations } from '../../../coordinator/auth/revocation.ts';
import { explainWaiting } from '../../../coordinator/core/explain.ts';
import { startOfAttempt } from '../../../coordinator/core/leases.ts';
import { coordinatorMetrics } from '../../../coordinator/metrics/families.ts';
import { callCounter } from '../../../coordinator/metrics/grpc-calls.ts';
import { SqliteStore } from '../../../coordinator/store/sqlite-store.ts';
import { artifactService } from '../../../coordinator/transport/artifact-service.ts';
import { AttemptService } from '../../../coordinator/transport/attempt-service.ts';
import { codeService } from '../../../coordinator/transport/code-service.ts';
import { concurrencyInterceptor } from '../../../coordinator/transport/concurrent-calls.ts';
import { listen } from '../../../coordinator/transport/listener.ts';
import { newServer } from '../../../coordinator/transport/server.ts';
import { sweepService } from '../../../coordinator/transport/sweep-service.ts';
import { type AttemptKey, keyText } from '../../../lib/domain/attempt-key.ts';
import type { Address } from '../../../lib/net/address.ts';
import type { Identity } from '../../../lib/net/identity.ts';
import { ArtifactServiceService } from '../../../proto/gen/trawl/v1/artifact_service.ts';
import { AttemptServiceService } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import { CodeServiceService } from '../../../proto/gen/trawl/v1/code_service.ts';
import { SweepServiceService } from '../../../proto/gen/trawl/v1/sweep_service.ts';
import { LEASE_MS } from './sample-core.ts';

export interface Served {
  readonly runtime: Runtime;
  readonly metrics: ReturnType<typeof coordinatorMetrics>;
  readonly address: string;
  readonly cluster: string;
  /** Every offer, oldest first. */
  readonly offers: AttemptKey[];
  /** The errors of failed writes to the store. */
  readonly broken: unknown[];
  stop(): void;
}

export const INSECURE: ChannelCredentials = credentials.createInsecure();

export function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'trawl-coordinator-'));
}

export interface ServeOptions {
  /** The address to listen on. Default: a free port of the loopback interface. */
  readonly at?: Address;
  /** If set, the coordinator requires TLS, and accepts only the identities in `dir`. */
  readonly secured?: { readonly identity: Identity; readonly dir: string };
  /** Creates the artifact store. Default: artifacts are files in the data folder. */
  readonly files?: (dir: string, cluster: string) => ArtifactStore;
  readonly quota?: SpaceLedger;
  /** Whether a child waits for the checkpoint of its parent. Default: no child waits. */
  readonly inherited?: Pick<InheritedCheckpoints, 'isPending'>;
  /** The time limit for the next chunk of an upload. */
  readonly stallMs?: number;
  /** The leader epoch of the coordinator. Default: 0 */
  readonly leaderEpoch?: number;
  readonly onNewerLeader?: () => void;
  /** Called with each line of the log. */
  readonly logTo?: (line: string) => void;
}

/** @param dir a folder in which this process has opened no store yet, because libsql keeps the lock of a closed store */
export async function serve(dir: string, options: ServeOptions = {}): Promise<Served> {
  const { at = { host: '127.0.0.1', port: 0 }, secured, stallMs, logTo } = options;
  const store = SqliteStore.open(dir);
  const { cluster } = store;
  const log = logTo === undefined ? pino({ level: 'silent' }) : pino({}, { write: logTo });
  const metrics = coordinatorMetrics();
  const offers: AttemptKey[] = [];
  const broken: unknown[] = [];
  const files = options.files?.(dir, cluster) ?? new ArtifactFiles(dir);
  const archives = new CodeArchives(dir);
  const runtime: Runtime = await Runtime.open({
    store,
    leaseMs: LEASE_MS,
    onBroken: (error) => broken.push(error),
    send: (output) => {
      if (output.kind === 'offer') offers.push(output.key);
      else if (output.kind === 'drain') attempts.sendDrain(output.agentId);
      else if (output.kind === 'return') attempts.sendReturn(output.agentId, output.keys);
      else if (output.kind === 'pools') attempts.sendPools(output.agentId);
      else if (output.kind === 'revoke') attempts.revoke(output.agentId, output.key, output.refusal);
      else cleaner.afterUpload(output.key);
    },
  });
  const rejections = new RejectionLog(metrics.authRejected, log);
  const identities = secured && new Identities(secured.dir, (error) => broken.push(error));
  const guard = new Guard(identities && ((shown) => admit(shown, (token) => identities.find(token))), (reason, facts) =>
    rejections.record(reason, facts),
  );
  const stopRevocations = identities === undefined ? () => {} : watchRevocations({ identities, guard, runtime, log });
  const attempts = new AttemptService({
    ...{ runtime, files, cluster, heartbeatMs: 1_000, metrics, guard, log },
    leaderEpoch: options.leaderEpoch ?? 0,
    onNewerLeader: () => options.onNewerLeader?.(),
  });
  const source = {
    queries: runtime.queries,
    agents: () => [],
    explain: (sweepId: string, trialId: string) => explainWaiting(runtime.core, sweepId, trialId, runtime.now()),
    startOf: (key: AttemptKey) => startOfAttempt(runtime.core, key),
    onCommit: runtime.onCommit.bind(runtime),
  };
  const space = SpaceLedger.of(dir);
  const isClosing = (key: AttemptKey) => runtime.core.closing.has(keyText(key));
  const cleaner = attemptFileCleaner(runtime, files, isClosing, log);
  runtime.onCommit(cleaner.afterCommit);
  const server = newServer([...guard.interceptors, concurrencyInterceptor(callerOf)], callCounter(metrics));
  server.addService(
    ArtifactServiceService,
    artifactService({
      queries: runtime.queries,
      files,
      core: runtime.core,
      guard,
      space,
      quota: options.quota,
      inherited: options.inherited,
      onEndedUpload: cleaner.afterUpload,
      log,
      ...(stallMs === undefined ? {} : { stallMs }),
    }),
  );
  server.addService(CodeServiceService, codeService({ archives, core: runtime.core, guard, space, log, stallMs }));
  server.addService(AttemptServiceService, attempts.implementation);
  server.addService(SweepServiceService, sweepService(source, sweepControl(runtime, archives), log));
  const listener = await listen(server, at, {
    identity: secured?.identity,
    onRejected: (reason, from, detail) => rejections.record(reason, { from, detail }),
  });
  return {
    runtime,
    metrics,
    address: `${listener.host}:${listener.port}`,
    cluster,
    offers,
    broken,
    stop() {
      stopRevocations();
      server.forceShutdown();
      listener.close();
      // These calls are not awaited, because the SQLite store writes before a call returns.
      void runtime.flush();
      void store.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

/** Returns a sweep file with this number of no-op trials. */
export function noopSweep(trials: number, more = ''): string {
  const values = Array.from({ length: trials }, (_, x) => x).join(', ');
  return `name: sample\nmethod: grid\ntrainer: noop\nmetric: {name: test_loss, goal: minimize}\nparameters:\n  x: {values: [${values}]}\n${more}`;
}
