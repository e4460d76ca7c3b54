import { availableParallelism } from 'node:os';
import { defaultDataDir } from '../../agent/data/cache.ts';
import { machineMemoryBytes } from '../../agent/machine/memory.ts';
import type { S3Location } from '../../coordinator/artifacts/s3-location.ts';
import { checkArtifactStore } from './artifact-store.ts';
import {
  backendFindings,
  datasetFinding,
  diskFinding,
  gpuFindings,
  memoryFinding,
  nodeFinding,
  optunaFinding,
  orphansFinding,
} from './checks.ts';
import { environmentFindings } from './environment.ts';
import type { Finding } from './finding.ts';
import { natsFinding } from './nats.ts';
import { checkPostgres } from './postgres.ts';

export interface ExamineOptions {
  /** URL of the NATS server to check. Default: TRAWL_NATS, or else a nats-server program on this machine. */
  readonly nats: string | undefined;
  /** Data folder to check. */
  readonly dir: string;
  /** The agent folder to check. */
  readonly agentDir: string;
  /** The coordinator to ask whether another agent has the agent id of this machine. See ConnectOptions. */
  readonly server?: string | undefined;
  readonly identity?: string | undefined;
  /** The artifact location to check. Undefined if a coordinator would keep artifacts in its data folder. */
  readonly artifacts?: S3Location | undefined;
  /** The URL of the database to check. Undefined if a coordinator would keep its store in its data folder. */
  readonly store?: string | undefined;
  /** The Python interpreter that runs the samplers of Optuna. */
  readonly python: string;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Checks everything that a sweep on this machine needs. Leaves nothing behind: a nats-server program is tried in a
 * temporary folder, and the checks of `artifacts` and `store` delete the object and the table that they create.
 */
export async function examine({
  nats,
  dir,
  agentDir,
  server,
  identity,
  artifacts,
  store,
  python,
  env,
}: ExamineOptions): Promise<readonly Finding[]> {
  // TensorFlow.js takes a third of a second to load, so it is loaded only here.
  const { probeBackends } = await import('../../agent/machine/probe.ts');
  const { discoverGpus } = await import('../../agent/machine/gpus.ts');
  const { datasetStatus } = await import('../../agent/data/cache.ts');
  const dataDir = defaultDataDir(env);
  const [node, natsServer, probes, gpus, datasets, environment, artifactStore, database, optuna] = await Promise.all([
    nodeFinding(process.versions.node),
    natsFinding(nats),
    probeBackends(),
    discoverGpus(env),
    datasetStatus(dataDir),
    environmentFindings({ agentDir, server, identity, env }),
    artifacts === undefined ? [] : checkArtifactStore(artifacts),
    store === undefined ? [] : checkPostgres(store),
    optunaFinding(python),
  ]);
  return [
    node,
    natsServer,
    ...database,
    ...artifactStore,
    ...backendFindings(probes, gpus.gpus),
    ...gpuFindings(gpus),
    ...datasets.map(datasetFinding),
    diskFinding('disk, sweeps', dir),
    await orphansFinding(dir),
    diskFinding('disk, data sets', dataDir, 'TRAWL_DATA'),
    { ...diskFinding('disk, agent', agentDir, '--agent-dir'), needed: false },
    memoryFinding(machineMemoryBytes(), availableParallelism(), gpus.gpus.length),
    optuna,
    ...environment,
  ];
}
