/**
 * Serves a store to commands while no coordinator runs. Read-only commands can use every store. The commands prune,
 * backup, retry and apply can use only a store in a data folder.
 */
import { randomBytes } from 'node:crypto';
import { pino } from 'pino';
import { createTemporaryFolder } from '../../lib/files/temporary-folder.ts';
import { HashedSecret } from '../../lib/net/secret.ts';
import { RejectedError } from '../../proto/errors.ts';
import { ArtifactServiceService } from '../../proto/gen/trawl/v1/artifact_service.ts';
import { CodeServiceService } from '../../proto/gen/trawl/v1/code_service.ts';
import { OperationsServiceService } from '../../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceService } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { CodeArchives } from '../artifacts/code-archives.ts';
import { openRecordedArtifacts } from '../artifacts/open-artifacts.ts';
import { SpaceLedger } from '../artifacts/space-ledger.ts';
import { admitToken } from '../auth/admit.ts';
import { Guard } from '../auth/guard.ts';
import { snapshots } from '../backup/snapshot.ts';
import { type PruneOptions, Pruner, pruneAll } from '../retention/prune.ts';
import { DEFAULT_PYTHON, startSampler } from '../search/optuna/process.ts';
import { SqliteStore } from '../store/sqlite-store.ts';
import type { Store } from '../store/store.ts';
import { artifactService } from '../transport/artifact-service.ts';
import { codeService } from '../transport/code-service.ts';
import { listen } from '../transport/listener.ts';
import { operationsService } from '../transport/operations-service.ts';
import { newServer } from '../transport/server.ts';
import { type SweepControl, sweepService } from '../transport/sweep-service.ts';
import { pastAgentOf } from './agent-control.ts';
import { withSamplerCheck } from './check-sampler.ts';
import { DEFAULT_LEASE_MS } from './defaults.ts';
import { now, Runtime } from './runtime.ts';
import { sweepControl } from './sweep-control.ts';

/** The answer to a call without the token. Only the command that opened the store has the token. */
const FOREIGN_CALL = 'this server belongs to a running trawl command, and accepts only calls of that command';

export interface ServedStore {
  readonly address: string;
  readonly token: string;
  close(): Promise<void>;
}

/**
 * Opens the store in `dir`, and serves the store on a loopback port until `close` is called. Only calls with the
 * returned token are admitted, because every user of the machine can reach the port.
 * @throws {NotFoundError | StoreInUseError | RejectedError} if the folder has no store, or if the store is in use or
 * damaged
 */
export async function serveStore(dir: string): Promise<ServedStore> {
  const rejection =
    `no coordinator runs on ${dir}: start one, for example with "trawl up --dir ${dir}" (without a coordinator, ` +
    'only retry, apply, prune, backup and read-only commands work)';
  return serve(SqliteStore.open(dir, { create: false }), dir, { rejection, isReadOnly: false });
}

/**
 * Opens a store in PostgreSQL for read-only commands, and serves the store as `serveStore` does.
 * @param dir the coordinator's folder with the artifacts and code archives that are not in S3; undefined if there is no
 * such folder
 * @throws {BadInputError | UnreachableError | RejectedError} if the store cannot be used, or if a coordinator leads it
 */
export async function serveDatabase(location: string, dir: string | undefined): Promise<ServedStore> {
  const { ReadOnlyPostgresStore } = await import('../store/postgres/read-only-store.ts');
  const store = await ReadOnlyPostgresStore.open(location, dir);
  const empty = dir === undefined ? createTemporaryFolder('read') : undefined;
  const rejection =
    `no coordinator leads the store ${store.name}: start one with "trawl coordinator --store" (without a coordinator, ` +
    'only read-only commands work)';
  try {
    const served = await serve(store, dir ?? empty?.path ?? '', { rejection, isReadOnly: true });
    const close = async () => {
      await served.close();
      empty?.remove();
    };
    return { ...served, close };
  } catch (error) {
    await store.close();
    empty?.remove();
    throw error;
  }
}

interface ServeOptions {
  /** The reason why calls that need a coordinator are rejected. */
  readonly rejection: string;
  /** Whether every call that changes the store is rejected. */
  readonly isReadOnly: boolean;
}

async function serve(store: Store, dir: string, { rejection, isReadOnly }: ServeOptions): Promise<ServedStore> {
  const log = pino({ level: 'silent' });
  const reject = async () => {
    throw new RejectedError(rejection);
  };
  const known = await store.loadAgents();
  const agents = () => [...known].map(([id, facts]) => pastAgentOf(id, facts));
  const source = {
    queries: store.queries({ isOffline: true }),
    agents,
    explain: () => undefined,
    startOf: () => undefined,
    onCommit: () => () => {},
  };
  // Retries and new versions are handled as in a running coordinator. No trial is offered, because no agent is
  // connected.
  let opening: Promise<Runtime> | undefined;
  const offlineControl = async () => {
    opening ??= Runtime.open({ store, leaseMs: DEFAULT_LEASE_MS, send: () => {}, onBroken: () => {} });
    const runtime = await opening;
    return withSamplerCheck(sweepControl(runtime), runtime, { python: DEFAULT_PYTHON, start: startSampler });
  };
  const retry: SweepControl['retry'] = async (request, by) => (await offlineControl()).retry(request, by);
  const apply: SweepControl['apply'] = async (sweepId, request, by) =>
    (await offlineControl()).apply(sweepId, request, by);
  const token = randomBytes(32).toString('base64url');
  const own = new HashedSecret(token);
  const guard = new Guard(
    (shown) => admitToken(shown, own, { missing: FOREIGN_CALL, wrong: FOREIGN_CALL }),
    () => {},
  );
  const server = newServer(guard.interceptors);
  server.addService(
    SweepServiceService,
    sweepService(
      source,
      {
        submit: reject,
        act: reject,
        killTrial: reject,
        retry: isReadOnly ? reject : retry,
        apply: isReadOnly ? reject : apply,
      },
      log,
    ),
  );
  const artifacts = await openRecordedArtifacts({ store, dir, cluster: store.cluster, log });
  const { files } = artifacts;
  const archives = new CodeArchives(dir, artifacts.code);
  const space = SpaceLedger.of(dir);
  const pruner = new Pruner(store, files, archives);
  const rejectBackup = () => {
    throw new RejectedError(rejection);
  };
  const prune = (options: PruneOptions & { readonly orphans: boolean }) => pruneAll(pruner, options, now());
  server.addService(
    ArtifactServiceService,
    artifactService({
      queries: source.queries,
      files,
      core: undefined,
      guard,
      space,
      quota: undefined,
      onEndedUpload: () => {},
      log,
    }),
  );
  server.addService(CodeServiceService, codeService({ archives, core: undefined, guard, space, log }));
  server.addService(
    OperationsServiceService,
    operationsService(
      { drain: reject, undrain: reject, release: reject },
      isReadOnly ? rejectBackup : snapshots({ store, files, archives, log }),
      isReadOnly ? reject : prune,
      log,
    ),
  );
  const listener = await listen(server, { host: '127.0.0.1', port: 0 });
  return {
    address: `${listener.host}:${listener.port}`,
    token,
    async close() {
      server.forceShutdown();
      await (await opening)?.stop();
      artifacts.close();
      listener.close();
      await store.close();
    },
  };
}
