/** A coordinator, a nats-server and agents with TLS, certificates and tokens, each in its own process. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readToken, tokenFile } from '../../lib/files/token-file.ts';
import { startDaemon } from '../support/daemon.ts';
import { testFolder } from '../support/folder.ts';
import { until } from '../support/until.ts';
import { TestIdentities } from './identities.ts';
import { type SecuredNats, startSecuredNats } from './secured-nats.ts';

export interface Secured {
  readonly folder: string;
  readonly identities: TestIdentities;
  readonly nats: SecuredNats;
  /** The coordinator's data folder. */
  readonly dir: string;
  readonly address: string;
  readonly metrics: string;
  /** The headers that give access to the metrics of the coordinator. */
  readonly headers: Record<string, string>;
  readonly log: () => string;
}

/**
 * Starts a nats-server and a coordinator with identities.
 * @param more the other options of the coordinator
 */
export async function startSecured(...more: string[]): Promise<Secured> {
  const folder = testFolder();
  const identities = await TestIdentities.init(join(folder, 'certs'));
  const nats = await startSecuredNats(identities.server);
  const dir = join(folder, 'coordinator');
  const log = join(folder, 'coordinator.log');
  await startDaemon(
    log,
    'coordinator',
    ...['--identity', identities.server, '--dir', dir, '--nats', nats.url],
    // Listens on every address of the machine, which requires an identity.
    ...['--listen', '0.0.0.0:0', '--metrics', '127.0.0.1:0', '--log-format', 'json', ...more],
  );
  const { address, metrics } = await until('the coordinator is up', () => coordinatorFile(dir));
  const headers = tokenHeaders(dir);
  return { folder, identities, nats, dir, address, metrics, headers, log: () => readFileSync(log, 'utf8') };
}

/** Returns the headers with the token of a data folder. */
export function tokenHeaders(dir: string): Record<string, string> {
  return { authorization: `Bearer ${readToken(tokenFile(dir))}` };
}

function coordinatorFile(dir: string): { address: string; metrics: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(dir, 'coordinator.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/**
 * Starts an agent with two slots.
 * @param identity the folder of the identity
 */
export async function startSecuredAgent({ folder, nats, address }: Secured, identity: string, ...more: string[]) {
  const log = join(folder, 'agent.log');
  const servers = ['--nats', nats.url, '--server', address];
  const where = ['--dir', join(folder, 'agent'), '--slots', '2', '--log-format', 'json'];
  const daemon = await startDaemon(log, 'agent', '--identity', identity, ...servers, ...where, ...more);
  return { daemon, log: () => readFileSync(log, 'utf8') };
}
