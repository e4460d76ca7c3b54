/** Starts the servers and agents of a cluster on its machines, with TLS and identities. */
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findNatsBinary } from '../../bin/local/find-nats-server.ts';
import { closeNats, connectNats } from '../../lib/net/connect-nats.ts';
import { readIdentity } from '../../lib/net/identity.ts';
import { COORDINATOR } from '../../proto/subjects.ts';
import type { Daemon } from '../support/daemon.ts';
import { TRAWL } from '../support/trawl.ts';
import { until } from '../support/until.ts';
import type { Machine } from './machine.ts';

/**
 * Copies an identity to a machine, unless the machine already has it.
 * @param certs the folder of the certificate authority
 * @returns the folder on the machine
 */
export function takeIdentity(machine: Machine, certs: string, folder: string): string {
  const there = machine.path(folder);
  if (!existsSync(there)) cpSync(join(certs, folder), there, { recursive: true });
  return there;
}

/** Starts the NATS server of a machine, and waits until it accepts clients. */
export async function startNats(machine: Machine, certs: string): Promise<void> {
  const folder = takeIdentity(machine, certs, `nats-${machine.address}`);
  const { path } = await findNatsBinary({ install: false });
  await machine.start('nats', 'env', '--chdir', folder, path, '--config', 'nats.conf');
  await until(`the NATS server of ${machine.name} listens`, () => {
    const log = machine.log('nats');
    return existsSync(log) && readFileSync(log, 'utf8').includes('Listening for client connections');
  });
}

/** Starts the agent of a machine. @param more further flags of the agent */
export function startAgent(machine: Machine, certs: string, more: readonly string[]): Promise<Daemon> {
  const identity = takeIdentity(machine, certs, `agent-${machine.name}`);
  const flags = ['--identity', identity, '--log-format', 'json', ...more];
  return machine.start('agent', process.execPath, TRAWL, 'agent', ...flags);
}

/** Returns the machine of the NATS server that leads the offer queue; undefined if there is no leader at present. */
export async function offerLeader(certs: string, servers: readonly Machine[]): Promise<string | undefined> {
  const identity = readIdentity(join(certs, 'server'), [COORDINATOR]);
  const nats = await connectNats(identity.servers.nats ?? '', 'test', identity);
  try {
    const [stream] = await (await nats.jetstreamManager()).streams.list().next();
    return servers.find(({ address }) => address === stream?.cluster?.leader)?.name;
  } finally {
    await closeNats(nats);
  }
}
