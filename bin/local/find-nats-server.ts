import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Check from '../../deploy/setup/nats/check.mjs';
import type * as Finder from '../../deploy/setup/nats/find.mjs';
import { UnreachableError } from '../../proto/errors.ts';
import { packageRoot } from '../package.ts';

export type NatsServer = Finder.NatsServer;
export type NatsBinary = Finder.NatsBinary;
export type FindOptions = Finder.FindOptions;

/** Loads a file of the setup code, which runs before the build and is therefore JavaScript outside dist/. */
function load<T>(file: string): Promise<T> {
  return import(pathToFileURL(join(packageRoot(), 'deploy', 'setup', 'nats', file)).href) as Promise<T>;
}
const finder = () => load<typeof Finder>('find.mjs');
const check = () => load<typeof Check>('check.mjs');

/**
 * Finds the running nats-server that TRAWL_NATS names, or else a nats-server program on this machine. With `install`,
 * downloads the program if it is missing.
 * @throws {UnreachableError} when TRAWL_NATS is set but unusable, or no program is available
 */
export async function findNatsServer(options: FindOptions): Promise<NatsServer> {
  const found = await finder();
  return await found.findNatsServer(options).catch((error) => throwUnreachable(found, error));
}

/**
 * Finds a nats-server program on this machine; ignores TRAWL_NATS.
 * @throws {UnreachableError}
 */
export async function findNatsBinary(options: FindOptions): Promise<NatsBinary> {
  const found = await finder();
  return await found.findNatsBinary(options).catch((error) => throwUnreachable(found, error));
}

/** Returns the INFO message of a NATS server. Rejects with the reason if no server answers within `limitMs`. */
export async function askNatsServer(url: string, limitMs?: number): Promise<Check.ServerInfo> {
  return await (await check()).readServerInfo(url, limitMs);
}

/** Returns the version of the server at a URL, or the reason why trawl cannot use it. */
export async function checkNatsServer(url: string): Promise<{ version: string } | { problem: string }> {
  return await (await check()).checkServer(url);
}

function throwUnreachable(found: typeof Finder, error: unknown): never {
  if (error instanceof found.NatsServerNotFoundError || error instanceof found.NatsServerUnusableError) {
    throw new UnreachableError(error.message, { cause: error });
  }
  throw error;
}
