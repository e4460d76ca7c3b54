/** Starts a coordinator. If its store can be shared, the coordinator stands by while another coordinator leads. */
import { settlesWithin, withResolvers } from '../lib/net/within.ts';
import { type NotLeaderError, RejectedError } from '../proto/errors.ts';
import { type Standby, startStandby } from './app/standby.ts';
import { loadS3Client } from './artifacts/s3-bucket.ts';
import {
  type Candidacy,
  type Elected,
  electedAlone,
  Leader,
  newHolder,
  tryOnce,
  untilElected,
} from './leader/leader.ts';
import { isHeld, type Leadership } from './leader/leadership.ts';
import { advertisedAddress, type CoordinatorOptions, type RunningCoordinator, startCoordinator } from './main.ts';

/** How long an orderly stop waits for a takeover that has begun. */
const STOP_LIMIT_MS = 5_000;

export interface ReplicaOptions extends CoordinatorOptions {
  /** Whether this coordinator stands by while another one leads. Otherwise, the start fails. */
  readonly standsBy: boolean;
  /** Whether this coordinator stands by even if the artifacts are in the data folder of the leader. */
  readonly allowLocalArtifacts: boolean;
  /** Called once another coordinator leads. The process must then end at once. */
  readonly onLost: (error: NotLeaderError) => void;
}

export interface Replica {
  /**
   * Rejects if a takeover fails, or if the coordinator must not stand by because the artifacts are in the data folder
   * of the leader.
   */
  readonly failed: Promise<never>;
  /** Stops the coordinator. If it leads, a standby then leads at once. */
  stop(): Promise<void>;
}

/**
 * Starts a coordinator, and resolves once it leads or stands by.
 * @throws {BadInputError | RejectedError | UnreachableError}
 */
export async function startReplica(options: ReplicaOptions): Promise<Replica> {
  const { store, log } = options;
  const { promise: failed, reject: fail } = withResolvers<never>();
  failed.catch(() => {});
  if (store === undefined) {
    const running = await startCoordinator(options);
    return { failed, stop: () => running.stop() };
  }
  const { PostgresElection } = await import('./store/postgres/election.ts');
  const election = new PostgresElection(store);
  const candidate = { election, holder: newHolder(), address: advertisedAddress(options, options.listen) };
  // An open connection would keep the process from ending.
  const closeElection = async (error: unknown) => {
    await election.close();
    throw error;
  };
  const first = await (options.standsBy ? tryOnce(candidate) : electedAlone(candidate)).catch(closeElection);
  if ('term' in first) {
    const running = await lead(options, candidate, first);
    return { failed, stop: () => running.stop() };
  }
  const standby = await startStandby(options).catch(closeElection);
  const candidacy = { ...candidate, address: advertisedAddress(options, standby.address) };
  standby.follow(first);
  preload(options);
  log.info(
    { address: candidacy.address, metrics: standby.metrics.port, leader: first.address },
    'the coordinator stands by',
  );
  const stopping = new AbortController();
  let running: RunningCoordinator | undefined;
  const end = async (error: unknown) => {
    stopping.abort();
    standby.stop();
    await election.close();
    fail(error);
  };
  const onHeld = async ({ address }: Leadership) => {
    if (options.allowLocalArtifacts || options.artifacts !== undefined) return;
    if ((await election.artifactLocation()) === undefined) await end(localArtifactsError(address));
  };
  const standing = { first, standby, signal: stopping.signal, onHeld };
  const led = takeOver({ ...options, ...addressesOf(standby) }, candidacy, standing).then((started) => {
    running = started;
  }, end);
  return {
    failed,
    async stop() {
      stopping.abort();
      // If the takeover is still waiting, for example for NATS, the leadership is not released here. It expires after the
      // process has ended.
      if (!(await settlesWithin(STOP_LIMIT_MS, led))) return;
      standby.stop();
      await (running === undefined ? election.close() : running.stop());
    },
  };
}

/** Loads the modules that only a leader needs, so that a takeover does not wait for them. */
function preload({ artifacts }: CoordinatorOptions): void {
  const modules = [import('./store/postgres/postgres-store.ts'), ...(artifacts === undefined ? [] : [loadS3Client()])];
  // The takeover reports a module that cannot be loaded.
  for (const each of modules) each.catch(() => {});
}

/** The leader listens where the standby listened. */
function addressesOf({ address, metrics }: Standby): Pick<CoordinatorOptions, 'listen' | 'metrics'> {
  return { listen: address, metrics };
}

function localArtifactsError(leader: string): RejectedError {
  return new RejectedError(
    `artifacts are in the data folder of the coordinator at ${leader}, so they would be missing after a takeover: start ` +
      'all coordinators of this store with --artifacts s3://BUCKET/PREFIX, or use --allow-local-artifacts',
  );
}

interface Standing {
  /** The leadership of the other coordinator when this one began to stand by. */
  readonly first: Leadership;
  readonly standby: Standby;
  readonly signal: AbortSignal;
  /** Called once it is certain that the other coordinator runs. If it rejects, it is called again after a renewal. */
  readonly onHeld: (leadership: Leadership) => Promise<void>;
}

async function takeOver(
  options: ReplicaOptions,
  candidacy: Candidacy,
  { first, standby, signal, onHeld }: Standing,
): Promise<RunningCoordinator | undefined> {
  const { log } = options;
  let last: string | undefined;
  let seen: Leadership | undefined = first;
  const elected = await untilElected({
    ...candidacy,
    signal,
    onStandby(leadership) {
      standby.follow(leadership);
      if (seen === undefined) return;
      const isRunning = isHeld(seen, leadership);
      seen = isRunning ? undefined : leadership;
      if (isRunning)
        onHeld(leadership).catch(() => {
          // The check is made again after the next renewal.
          seen = leadership;
        });
    },
    onProblem(problem) {
      standby.setProblem(problem);
      if (problem !== undefined && last === undefined)
        log.warn({ reason: problem }, 'the store does not answer; retrying');
      last = problem;
    },
  });
  if (elected === undefined) return undefined;
  log.info({ epoch: elected.term.epoch }, 'no other coordinator leads; this coordinator takes over');
  standby.stop();
  return lead(options, candidacy, elected);
}

async function lead(
  options: ReplicaOptions,
  { election, address }: Candidacy,
  elected: Elected,
): Promise<RunningCoordinator> {
  const { log, onLost } = options;
  const leader = new Leader({ election, elected, address, onLost, log });
  try {
    const running = await startCoordinator(options, leader);
    log.info(
      { epoch: leader.term.epoch, address: advertisedAddress(options, running.address) },
      'the coordinator leads',
    );
    return running;
  } catch (error) {
    await leader.release();
    throw error;
  }
}
