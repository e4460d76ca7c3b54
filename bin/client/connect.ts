import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import type { ServedStore } from '../../coordinator/app/offline-store.ts';
import { parsePostgresLocation } from '../../coordinator/store/postgres/location.ts';
import {
  type CoordinatorFile,
  MOVED_FILE,
  POSTGRES_MARK,
  readCoordinatorFile,
  STORE_FILE,
} from '../../lib/files/coordinator-file.ts';
import { shownPath } from '../../lib/files/folder.ts';
import { isAlive, isSuspended } from '../../lib/files/process-identity.ts';
import { coordinatorAddresses, isLoopback, parseAddress } from '../../lib/net/address.ts';
import { channelToLeader } from '../../lib/net/channel.ts';
import { type Identity, readIdentity } from '../../lib/net/identity.ts';
import { fileToken, folderToken, givenToken, type TokenSources, tokenSources } from '../../lib/net/token-source.ts';
import { BadInputError, RejectedError, StoreInUseError, UnreachableError } from '../../proto/errors.ts';
import { ArtifactServiceClient } from '../../proto/gen/trawl/v1/artifact_service.ts';
import { CodeServiceClient } from '../../proto/gen/trawl/v1/code_service.ts';
import { OperationsServiceClient } from '../../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceClient } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { USER_ROLES } from '../../proto/roles.ts';
import { storeLocation } from '../options/values.ts';
import { note } from '../output/print.ts';

/** The options that name a store. */
interface OfflinePlace {
  readonly dir?: string | undefined;
  readonly store?: string | undefined;
}

export interface Connection {
  readonly client: SweepServiceClient;
  readonly artifacts: ArtifactServiceClient;
  readonly code: CodeServiceClient;
  readonly operations: OperationsServiceClient;
  /** HOST:PORT of the coordinator to which calls are sent. Changes when another coordinator becomes the leader. */
  readonly address: string;
  /** Whether several coordinators are known. In that case, a standby may soon replace a leader that does not answer. */
  readonly hasStandbys: boolean;
  /** Whether the connection uses TLS, with an identity. */
  readonly usesTls: boolean;
  /** The data folder or the database that this process reads itself. Undefined if the connection is to a coordinator. */
  readonly offline: OfflinePlace | undefined;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /**
   * HOST:PORT of the coordinator, or of several coordinators, separated by commas. Default: TRAWL_SERVER, or else the
   * coordinator of the identity, or else DEFAULT_ADDRESS.
   */
  readonly server?: string | undefined;
  /**
   * A data folder. If a coordinator uses the folder, the connection is to this coordinator. Otherwise, this process
   * serves the store of the folder.
   */
  readonly dir?: string | undefined;
  /**
   * The URL of a database. If a coordinator uses `dir`, the connection is to this coordinator. Otherwise, this process
   * serves the database. Default: TRAWL_STORE, if the store of `dir` is in PostgreSQL.
   */
  readonly store?: string | undefined;
  /** Identity folder of the user. Default: TRAWL_IDENTITY. False means no identity, even if TRAWL_IDENTITY is set. */
  readonly identity?: string | false | undefined;
  /**
   * A file with the token of a coordinator on the loopback interface. With `dir`, the default is the token in that
   * folder. Otherwise, the default is TRAWL_TOKEN, or else the token of this user's coordinator at the address.
   */
  readonly tokenFile?: string | undefined;
  /** The time in milliseconds for which calls wait for a leader. Default: LEADER_WAIT_MS. */
  readonly leaderWaitMs?: number;
}

/**
 * The maximum size of a received message. The value is larger than gRPC's default of 4 MiB, because the answer to a
 * unary call, for example the list of all sweeps, is a single message.
 */
const MAX_MESSAGE_BYTES = 256 * 2 ** 20;

const KEEPALIVE = { 'grpc.keepalive_time_ms': 20_000, 'grpc.keepalive_timeout_ms': 10_000 };
/** With several coordinators, a client notices within about 13 s that the leader's machine has died. */
const KEEPALIVE_OF_SEVERAL = { 'grpc.keepalive_time_ms': 5_000, 'grpc.keepalive_timeout_ms': 8_000 };

/**
 * With several coordinators, a call waits up to this time, in milliseconds, for one of them to become the leader. After
 * the death of a leader, the takeover takes up to 15 s, or longer if PostgreSQL does not answer.
 */
export const LEADER_WAIT_MS = 60_000;

const PROBE_TIMEOUT_MS = 2_000;

interface OpenOptions {
  /** HOST:PORT of each coordinator. */
  readonly addresses: readonly string[];
  readonly identity?: Identity | undefined;
  readonly tokenOf: TokenSources;
  readonly leaderWaitMs?: number | undefined;
  readonly offline?: OfflinePlace;
  readonly release?: () => Promise<void>;
}

function open({
  addresses,
  identity,
  tokenOf,
  leaderWaitMs = LEADER_WAIT_MS,
  offline,
  release = async () => {},
}: OpenOptions): Connection {
  const settings = {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    ...(addresses.length > 1 ? KEEPALIVE_OF_SEVERAL : KEEPALIVE),
  };
  const channel = channelToLeader(addresses, identity, tokenOf, settings, {
    limitMs: leaderWaitMs,
    onWait: () => note(`no coordinator leads at ${addresses.join(', ')}; waiting for up to ${leaderWaitMs / 1_000} s`),
  });
  // The clients do not use these arguments, because the channel already has the addresses and the credentials.
  const unused = [channel.address, credentials.createInsecure()] as const;
  const client = new SweepServiceClient(...unused, channel.options);
  const artifacts = new ArtifactServiceClient(...unused, channel.options);
  const code = new CodeServiceClient(...unused, channel.options);
  const operations = new OperationsServiceClient(...unused, channel.options);
  return {
    client,
    artifacts,
    code,
    operations,
    get address() {
      return channel.address;
    },
    get hasStandbys() {
      return channel.hasStandbys;
    },
    usesTls: identity !== undefined,
    offline,
    close: async () => {
      client.close();
      artifacts.close();
      code.close();
      operations.close();
      await release();
    },
  };
}

/**
 * Connects to a coordinator, or to a data folder or a database without a coordinator. The connection to a `server` is
 * opened by the first call.
 * @throws {UnreachableError} when the coordinator of the folder runs but does not answer
 * @throws {BadInputError} when `server` is given together with `dir` or `store`, the address is malformed, or the folder
 * is not a trawl data folder
 * @throws {RejectedError} when the identity is missing or has the wrong role, or the store is in use or damaged
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  const { server, dir, store } = options;
  if (dir !== undefined || store !== undefined) {
    const option = dir === undefined ? '--store' : '--dir';
    if (server !== undefined) throw new BadInputError(`--server and ${option} cannot be used together`);
    if (store !== undefined) parsePostgresLocation(store, '--store');
    return dir === undefined ? connectToDatabase(store ?? '', undefined) : connectToFolder(dir, options);
  }
  const identity = identityOf(options.identity);
  const addresses = coordinatorAddresses(options.server, identity?.servers.coordinator);
  const { tokenFile, leaderWaitMs } = options;
  return open({ addresses, identity, tokenOf: tokenSources(addresses, tokenFile), leaderWaitMs });
}

function identityOf(dir: ConnectOptions['identity']): Identity | undefined {
  const named = dir ?? (process.env.TRAWL_IDENTITY || false);
  return named === false ? undefined : readIdentity(named, USER_ROLES);
}

/**
 * Connects to the coordinator that uses a data folder. Returns undefined if no coordinator answers. Does not read the
 * folder's store.
 * @throws {RejectedError} when the coordinator requires an identity and no identity is given
 */
export async function connectToCoordinatorOf(
  dir: string,
  options: Pick<ConnectOptions, 'identity' | 'tokenFile'> = { identity: false },
): Promise<Connection | undefined> {
  const found = runningCoordinator(dir);
  if (found === undefined) return undefined;
  const { address } = found;
  const identity = found.tls ? identityOf(options.identity) : undefined;
  if (found.tls && identity === undefined) {
    throw new RejectedError(
      `the coordinator (${address}) that uses ${dir} requires an identity: pass --identity DIR or set TRAWL_IDENTITY`,
    );
  }
  const tokenOf = options.tokenFile === undefined ? folderToken(dir, address, found.pid) : fileToken(options.tokenFile);
  const connection = open({ addresses: [address], identity, tokenOf: () => tokenOf });
  if (await answers(connection)) return connection;
  await connection.close();
  return undefined;
}

async function connectToFolder(dir: string, options: ConnectOptions): Promise<Connection> {
  if (!existsSync(dir)) throw new BadInputError(`--dir: folder ${shownPath(dir)} does not exist`);
  const connection = await connectToCoordinatorOf(dir, options);
  if (connection !== undefined) return connection;
  const location = options.store ?? storeOfFolder(dir);
  if (location !== undefined) return connectToDatabase(location, dir);
  const { serveStore } = await import('../../coordinator/app/offline-store.ts');
  const store = await serveStore(dir).catch((error: unknown) => {
    throw error instanceof StoreInUseError ? (silentHolder(dir) ?? error) : error;
  });
  return openServed(store, { dir });
}

/** Returns the URL in TRAWL_STORE if the store of a folder is in PostgreSQL. */
function storeOfFolder(dir: string): string | undefined {
  // After `trawl migrate`, the folder still contains its old store, and a file that marks this store as moved.
  const hasOwnStore = existsSync(join(dir, STORE_FILE)) && !existsSync(join(dir, MOVED_FILE));
  const isElsewhere = existsSync(join(dir, POSTGRES_MARK)) && !hasOwnStore;
  return isElsewhere ? storeLocation(undefined) : undefined;
}

async function connectToDatabase(location: string, dir: string | undefined): Promise<Connection> {
  const { serveDatabase } = await import('../../coordinator/app/offline-store.ts');
  return openServed(await serveDatabase(location, dir), { dir, store: location });
}

function openServed({ address, token, close }: ServedStore, offline: OfflinePlace): Connection {
  return open({ addresses: [address], tokenOf: () => givenToken(token), offline, release: close });
}

/**
 * Returns the content of coordinator.json. Undefined if the folder has no coordinator.json, or if the file names a
 * process of this machine that has ended. The port of an ended process may belong to another coordinator by now.
 */
function runningCoordinator(dir: string): CoordinatorFile | undefined {
  const file = readCoordinatorFile(dir);
  if (file === undefined) return undefined;
  // The process id is only meaningful on the coordinator's machine.
  const isLocal = isLoopback(parseAddress(file.address, join(dir, 'coordinator.json')));
  return isLocal && !isAlive(file.pid) ? undefined : file;
}

/**
 * Returns the error for a store that is in use by the folder's coordinator, which runs but did not answer. Returns
 * undefined if the folder has no running coordinator.
 */
function silentHolder(dir: string): UnreachableError | undefined {
  const found = runningCoordinator(dir);
  if (found === undefined) return undefined;
  const { address, pid } = found;
  const remedy = isSuspended(pid)
    ? `process ${pid} is suspended: continue it with "kill -CONT ${pid}"`
    : 'it may be starting, stopping, overloaded or unreachable: retry, and look at its log; if it does not recover, stop it with ' +
      `"kill ${pid}" and start it again, which loses no acknowledged change`;
  return new UnreachableError(
    `the coordinator at ${address} (process ${pid}) uses ${shownPath(dir)}, but did not answer within ` +
      `${PROBE_TIMEOUT_MS / 1000} s; ${remedy}`,
  );
}

function answers({ client }: Connection): Promise<boolean> {
  return new Promise((resolve) => {
    client.waitForReady(Date.now() + PROBE_TIMEOUT_MS, (error) => resolve(error === undefined));
  });
}

/** Runs `work` with a connection, and closes the connection afterward. */
export async function withConnection<T>(
  options: ConnectOptions,
  work: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = await connect(options);
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}
