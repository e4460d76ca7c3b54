/**
 * The NATS servers of a cluster: a folder `nats-HOST/` for each, to take to its machine. Each has a certificate of its
 * own, so that none of them holds the coordinator's.
 */
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { IDENTITY_FILES } from '../../lib/net/identity.ts';
import { issue, type KeyAndCertificate } from './issue.ts';
import { NATS_CONFIG, type NatsMember, natsServerConfig } from './nats-config.ts';
import { writePrivately } from './write-file.ts';

/** What a NATS server is on its certificate: nothing that NATS or the coordinator let in. */
const ROLE = 'nats';
const PREFIX = 'nats-';

export interface NatsServers {
  /** Names or addresses of their machines. */
  readonly hosts: readonly string[];
  /** What each is reached by on its own machine, too. */
  readonly localHosts: readonly string[];
  readonly days: number;
}

/**
 * Makes a folder for each.
 * @returns the folders
 */
export async function makeNatsServers(
  dir: string,
  authority: KeyAndCertificate,
  { hosts, localHosts, days }: NatsServers,
): Promise<string[]> {
  const signed = await Promise.all(
    hosts.map((host) => issue(authority, { name: host, role: ROLE, hosts: [host, ...localHosts] }, days)),
  );
  const certificates = signed.map(({ certificate }) => keyHash(certificate));
  return hosts.map((host, at) => {
    const folder = natsFolder(dir, host);
    const member: NatsMember = { name: host, hosts, certificates };
    writePrivately(join(folder, IDENTITY_FILES.authority), authority.certificate);
    writePrivately(join(folder, IDENTITY_FILES.certificate), signed[at]?.certificate ?? '');
    writePrivately(join(folder, IDENTITY_FILES.key), signed[at]?.key ?? '');
    writePrivately(join(folder, NATS_CONFIG), natsServerConfig(member));
    return folder;
  });
}

/** Every folder that a NATS server reads who may come from. */
export function natsFolders(dir: string): string[] {
  const cluster = readdirSync(dir).filter(
    (name) => name.startsWith(PREFIX) && existsSync(join(dir, name, NATS_CONFIG)),
  );
  return cluster.length > 0 ? cluster.map((name) => join(dir, name)) : [join(dir, 'server')];
}

/** An IPv6 address has colons, which scp would take for a host's end. */
function natsFolder(dir: string, host: string): string {
  return join(dir, `${PREFIX}${host.replaceAll(':', '-')}`);
}

/** As nats-server pins certificates: SHA-256 of the public key. */
function keyHash(certificate: string): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(key).digest('hex');
}
