/** Starts a coordinator. If its store can be shared, the coordinator stands by while another coordinator leads. */
import { settlesWithin, withResolvers } from '../lib/net/within.ts';
import { type NotLeaderError, RejectedError } from '../proto/errors.ts';
import { type Standby, startStandby } from './app/standby.ts';
import { standbyArtifactsProblem } from './artifacts/open-artifacts.ts';
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

/** The maximum time in milliseconds for which an orderly stop waits for a takeover that has begun. */
const STOP_LIMIT_MS = 5_000;

export interface ReplicaOptions extends CoordinatorOptions {
  /** Whether this coordinator stands by while another coordinator leads. If false, the start fails instead. */
  readonly standsBy: boolean;
  /** Whether this coordinator stands by even if the artifacts are in the data folder of the leader. */
  readonly allowLocalArtifacts: boolean;
  /** Called when another coordinator has become the leader. The process must then end at once. */
  readonly onLost: (error: NotLeaderError) => void;
}

export interface Replica {
  /**
   * Rejects if a takeover fails, or if the coordinator must not stand by because the artifacts are in the data folder
   * of the leader.
   */
  readonly failed: Promise<never>;
  /** Stops the coordinator. If the coordinator leads, a standby takes over at once. */
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
  let artifactsProblem: string | undefined;
  const onHeld = async ({ address }: Leadership) => {
    const recorded = await election.artifactLocation();
    // Without --artifacts, this coordinator uses the recorded location after a takeover. It then needs the S3 client.
    if (recorded !== undefined) loadS3Client().catch(() => {});
    const problem = standbyArtifactsProblem(options.artifacts, recorded, address);
    if (options.artifacts === undefined) {
      if (problem !== undefined && !options.allowLocalArtifacts) await end(new RejectedError(problem));
      return;
    }
    // This coordinator still stands by, because the leader may not have recorded the location of its artifacts yet, or
    // may be restarted with the location that this coordinator uses.
    standby.setProblem('artifacts', problem);
    if (problem === artifactsProblem) return;
    artifactsProblem = problem;
    if (problem === undefined) log.info('the leader keeps artifacts in the same place as this coordinator');
    else log.warn(problem);
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

/**
 * Loads the modules that only a leader needs. A takeover then does not wait for these modules, and works even if an
 * upgrade has replaced the files of the program in the meantime.
 */
function preload({ artifacts }: CoordinatorOptions): void {
  const modules = [import('./store/postgres/postgres-store.ts'), ...(artifacts === undefined ? [] : [loadS3Client()])];
  // A module that cannot be loaded is reported by the takeover, not here.
  for (const each of modules) each.catch(() => {});
}

/** After a takeover, the coordinator listens on the same addresses as before. */
function addressesOf({ address, metrics }: Standby): Pick<CoordinatorOptions, 'listen' | 'metrics'> {
  return { listen: address, metrics };
}

interface Standing {
  /** The leadership of the other coordinator when this one began to stand by. */
  readonly first: Leadership;
  readonly standby: Standby;
  readonly signal: AbortSignal;
  /** Called after each renewal by the other coordinator. A rejection of the returned promise is ignored. */
  readonly onHeld: (leadership: Leadership) => Promise<void>;
}

async function takeOver(
  options: ReplicaOptions,
  candidacy: Candidacy,
  { first, standby, signal, onHeld }: Standing,
): Promise<RunningCoordinator | undefined> {
  const { log } = options;
  let last: string | undefined;
  let seen = first;
  const elected = await untilElected({
    ...candidacy,
    signal,
    onStandby(leadership) {
      standby.follow(leadership);
      const isRunning = isHeld(seen, leadership);
      seen = leadership;
      if (isRunning) onHeld(leadership).catch(() => {});
    },
    onProblem(problem) {
      standby.setProblem('store', problem);
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
