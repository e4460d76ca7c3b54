import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type CoordinatorFile, isAlive, readCoordinatorFile } from '../../lib/files/coordinator-file.ts';
import { DEFAULT_ADDRESS, isLoopback, parseAddress } from '../../lib/net/address.ts';
import { channelTo } from '../../lib/net/channel.ts';
import { type Identity, readIdentity } from '../../lib/net/identity.ts';
import { BadInputError, RefusedError } from '../../proto/errors.ts';
import { ArtifactServiceClient } from '../../proto/gen/trawl/v1/artifact_service.ts';
import { OperationsServiceClient } from '../../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceClient } from '../../proto/gen/trawl/v1/sweep_service.ts';
import { USER_ROLES } from '../../proto/roles.ts';

export interface Connection {
  readonly client: SweepServiceClient;
  readonly artifacts: ArtifactServiceClient;
  readonly operations: OperationsServiceClient;
  /** HOST:PORT of the coordinator, for messages. */
  readonly address: string;
  /** The data folder that is read without a coordinator: nothing will change in it. */
  readonly offlineDir: string | undefined;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** HOST:PORT; else TRAWL_SERVER, else the identity's, else DEFAULT_ADDRESS. */
  readonly server?: string | undefined;
  /** A coordinator's data folder: the coordinator that works on it, or the folder itself read-only. */
  readonly dir?: string | undefined;
  /** Folder of who asks; else TRAWL_IDENTITY. False: nobody, whatever that says. */
  readonly identity?: string | false | undefined;
}

/** A snapshot of a large sweep is one message. */
const MAX_MESSAGE_BYTES = 256 * 2 ** 20;

/** A connection on which nothing comes back for these two together is dead. */
const KEEPALIVE_EVERY_MS = 20_000;
const KEEPALIVE_WAIT_MS = 10_000;

/** How long the coordinator that a folder names may take to answer. */
const PROBE_MS = 2_000;

interface Opening {
  readonly address: string;
  readonly identity?: Identity | undefined;
  readonly offlineDir?: string;
  readonly release?: () => Promise<void>;
}

function open({ address, identity, offlineDir, release = async () => {} }: Opening): Connection {
  const channel = channelTo(address, identity);
  const options = {
    ...channel.options,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_EVERY_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_WAIT_MS,
    // A coordinator is on this machine or a private network: a web proxy in the environment is not meant for it.
    'grpc.enable_http_proxy': 0,
  };
  const client = new SweepServiceClient(address, channel.shown, options);
  const artifacts = new ArtifactServiceClient(address, channel.shown, options);
  const operations = new OperationsServiceClient(address, channel.shown, options);
  return {
    client,
    artifacts,
    operations,
    address,
    offlineDir,
    close: async () => {
      client.close();
      artifacts.close();
      operations.close();
      await release();
    },
  };
}

/**
 * Connects to a coordinator, or to a data folder without one. Nothing is sent yet to a `server`: the first call tells
 * whether it is there.
 * @throws {BadInputError} when both are named, the address is malformed or a folder is none of trawl's
 * @throws {RefusedError} when who asks is not who may
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  if (options.dir !== undefined) {
    if (options.server !== undefined) throw new BadInputError('name either --server or --dir, not both');
    return connectToFolder(options.dir, options.identity);
  }
  const identity = identityOf(options.identity);
  const address = options.server ?? (process.env.TRAWL_SERVER || identity?.servers.coordinator || DEFAULT_ADDRESS);
  parseAddress(address, options.server === undefined ? 'TRAWL_SERVER' : '--server');
  return open({ address, identity });
}

function identityOf(dir: ConnectOptions['identity']): Identity | undefined {
  const named = dir ?? (process.env.TRAWL_IDENTITY || false);
  return named === false ? undefined : readIdentity(named, USER_ROLES);
}

/**
 * The coordinator at work on a data folder, where one answers; undefined elsewhere. Never touches the folder's store.
 * The caller closes the connection.
 * @throws {RefusedError} when it asks who comes, and nobody is named
 */
export async function connectToCoordinatorOf(
  dir: string,
  who: ConnectOptions['identity'] = false,
): Promise<Connection | undefined> {
  const found = liveCoordinator(dir);
  if (found === undefined) return undefined;
  const { address } = found;
  const identity = found.tls ? identityOf(who) : undefined;
  if (found.tls && identity === undefined) {
    throw new RefusedError(
      `the coordinator (${address}) at work on ${dir} asks who comes: say so with --identity or TRAWL_IDENTITY`,
    );
  }
  const connection = open({ address, identity });
  if (await answers(connection)) return connection;
  await connection.close();
  return undefined;
}

async function connectToFolder(dir: string, who: ConnectOptions['identity']): Promise<Connection> {
  if (!existsSync(dir)) throw new BadInputError(`--dir: there is no folder ${dir}`);
  const connection = await connectToCoordinatorOf(dir, who);
  if (connection !== undefined) return connection;
  const { serveStore } = await import('../../coordinator/app/offline-store.ts');
  const store = await serveStore(dir);
  return open({ address: store.address, offlineDir: dir, release: () => store.close() });
}

/** Returns the coordinator of a folder; undefined if its process is gone: another may listen on its port by now. */
function liveCoordinator(dir: string): CoordinatorFile | undefined {
  const file = readCoordinatorFile(dir);
  if (file === undefined) return undefined;
  // A process id of another machine cannot be checked here.
  const isLocal = isLoopback(parseAddress(file.address, join(dir, 'coordinator.json')));
  return isLocal && !isAlive(file.pid) ? undefined : file;
}

function answers({ client }: Connection): Promise<boolean> {
  return new Promise((resolve) => {
    client.waitForReady(Date.now() + PROBE_MS, (error) => resolve(error === undefined));
  });
}

/** Runs `work` on a connection, and closes it whatever happens. */
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
