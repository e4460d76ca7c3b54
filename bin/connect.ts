import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import { z } from 'zod';
import { DEFAULT_ADDRESS, isLoopback, parseAddress } from '../proto/address.ts';
import { BadInputError } from '../proto/errors.ts';
import { ArtifactServiceClient } from '../proto/gen/trawl/v1/artifact_service.ts';
import { OperationsServiceClient } from '../proto/gen/trawl/v1/operations_service.ts';
import { SweepServiceClient } from '../proto/gen/trawl/v1/sweep_service.ts';

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
  /** HOST:PORT; else TRAWL_SERVER, else DEFAULT_ADDRESS. */
  readonly server?: string | undefined;
  /** A coordinator's data folder: the coordinator that works on it, or the folder itself read-only. */
  readonly dir?: string | undefined;
}

/** A snapshot of a large sweep is one message. */
const MAX_MESSAGE_BYTES = 256 * 2 ** 20;

/** A connection on which nothing comes back for these two together is dead. */
const KEEPALIVE_EVERY_MS = 20_000;
const KEEPALIVE_WAIT_MS = 10_000;

/** How long the coordinator that a folder names may take to answer. */
const PROBE_MS = 2_000;

const coordinatorFile = z.object({ address: z.string(), pid: z.number().int().positive() });

function open(address: string, offlineDir?: string, release: () => Promise<void> = async () => {}): Connection {
  const options = {
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': KEEPALIVE_EVERY_MS,
    'grpc.keepalive_timeout_ms': KEEPALIVE_WAIT_MS,
    // A coordinator is on this machine or a private network: a web proxy in the environment is not meant for it.
    'grpc.enable_http_proxy': 0,
  };
  const client = new SweepServiceClient(address, credentials.createInsecure(), options);
  const artifacts = new ArtifactServiceClient(address, credentials.createInsecure(), options);
  const operations = new OperationsServiceClient(address, credentials.createInsecure(), options);
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
 * @throws {BadInputError} when both are named, the address is malformed or the folder is none of trawl's
 */
export async function connect(options: ConnectOptions): Promise<Connection> {
  if (options.dir !== undefined) {
    if (options.server !== undefined) throw new BadInputError('name either --server or --dir, not both');
    return connectToFolder(options.dir);
  }
  const variable = process.env.TRAWL_SERVER;
  const address = options.server ?? (variable === undefined || variable === '' ? DEFAULT_ADDRESS : variable);
  parseAddress(address, options.server === undefined ? 'TRAWL_SERVER' : '--server');
  return open(address);
}

/**
 * The coordinator at work on a data folder, where one answers; undefined elsewhere. Never touches the folder's store.
 * The caller closes the connection.
 */
export async function connectToCoordinatorOf(dir: string): Promise<Connection | undefined> {
  const address = liveCoordinator(dir);
  if (address === undefined) return undefined;
  const connection = open(address);
  if (await answers(connection)) return connection;
  await connection.close();
  return undefined;
}

async function connectToFolder(dir: string): Promise<Connection> {
  if (!existsSync(dir)) throw new BadInputError(`--dir: there is no folder ${dir}`);
  const connection = await connectToCoordinatorOf(dir);
  if (connection !== undefined) return connection;
  const { serveStore } = await import('../coordinator/offline.ts');
  const store = await serveStore(dir);
  return open(store.address, dir, () => store.close());
}

/** The address in DIR/coordinator.json, unless its process is gone: another coordinator may have its port by now. */
function liveCoordinator(dir: string): string | undefined {
  const path = join(dir, 'coordinator.json');
  if (!existsSync(path)) return undefined;
  const parsed = coordinatorFile.safeParse(readJson(path));
  // Half-written at a crash, or none of ours: the store itself is still there.
  if (!parsed.success) return undefined;
  const address = parseAddress(parsed.data.address, path);
  // A process id of another machine says nothing here.
  return isLoopback(address) && !isAlive(parsed.data.pid) ? undefined : parsed.data.address;
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
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
