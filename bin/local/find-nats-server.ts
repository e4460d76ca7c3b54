import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Check from '../../deploy/setup/nats/check.mjs';
import type * as Finder from '../../deploy/setup/nats/find.mjs';
import { UnreachableError } from '../../proto/errors.ts';
import { packageRoot } from '../package.ts';

export type NatsServer = Finder.NatsServer;
export type NatsBinary = Finder.NatsBinary;
export type FindOptions = Finder.FindOptions;

/** The set-up's code has to run before anything is built, so it is JavaScript outside dist and found by its place. */
function load<T>(file: string): Promise<T> {
  return import(pathToFileURL(join(packageRoot(), 'deploy', 'setup', 'nats', file)).href) as Promise<T>;
}
const finder = () => load<typeof Finder>('find.mjs');
const check = () => load<typeof Check>('check.mjs');

/**
 * A nats-server to use: the running one that TRAWL_NATS names, or a program on this machine; with `install`, fetched
 * if none is here.
 * @throws {UnreachableError} TRAWL_NATS is set and cannot be used, or no program could be had
 */
export async function findNatsServer(options: FindOptions): Promise<NatsServer> {
  const found = await finder();
  return await found.findNatsServer(options).catch((error) => forPeople(found, error));
}

/**
 * A nats-server program on this machine, whatever TRAWL_NATS says.
 * @throws {UnreachableError}
 */
export async function findNatsBinary(options: FindOptions): Promise<NatsBinary> {
  const found = await finder();
  return await found.findNatsBinary(options).catch((error) => forPeople(found, error));
}

/** What a NATS server says of itself on connecting; rejects with the reason where none answers within `limitMs`. */
export async function askNatsServer(url: string, limitMs?: number): Promise<Check.ServerInfo> {
  return await (await check()).readServerInfo(url, limitMs);
}

/** The version of the server at a URL, or why trawl cannot use it. */
export async function checkNatsServer(url: string): Promise<{ version: string } | { problem: string }> {
  return await (await check()).checkServer(url);
}

function forPeople(found: typeof Finder, error: unknown): never {
  if (error instanceof found.NatsServerNotFoundError || error instanceof found.NatsServerUnusableError) {
    throw new UnreachableError(error.message, { cause: error });
  }
  throw error;
}
