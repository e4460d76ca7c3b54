import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { sha256Of } from '../../lib/files/checksum.ts';
import { IDENTITY_FILES } from '../../lib/net/identity.ts';
import { agentPermissions, COORDINATOR, coordinatorPermissions, type Permissions } from '../../proto/subjects.ts';
import { issue, type KeyAndCertificate } from './issue.ts';
import { writePrivately } from './private-file.ts';

/** A nats-server's configuration that takes trawl's identities, and lets each do what its part needs. */

export const NATS_CONFIG = 'nats.conf';
export const NATS_ACCOUNTS = 'nats-accounts.conf';

/** A heartbeat names all that an agent holds: its slots times some hundred bytes. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
const MAX_CONNECTIONS = 4_096;
/** An agent needs one. */
const MAX_SUBSCRIPTIONS = 64;
/** The queue of offers, in memory: a bounded window of small messages. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

/** Where clients reach a server. */
export const NATS_PORT = 4222;
/** Where the servers of a cluster reach each other. */
const NATS_CLUSTER_PORT = 6222;
/** Who does not answer three pings in a row is gone: a machine that lost its power does not say so. */
const PING_EVERY = '5s';
const UNANSWERED_PINGS = 2;

/** A server as one of a cluster. */
export interface NatsMember {
  readonly name: string;
  /** Of all members. */
  readonly hosts: readonly string[];
  /** SHA-256 of each member's public key, in hexadecimal. */
  readonly certificates: readonly string[];
}

const text = (value: string) => JSON.stringify(value);

/**
 * The server's own file: written once, and then its owner's to change. Paths are below the folder that it stands in.
 * @param member undefined: it is alone
 */
export function natsServerConfig(member?: NatsMember): string {
  return `# Made by "trawl certs init"; yours to change. Start it in this folder: nats-server --config ${NATS_CONFIG}
${member === undefined ? '' : `server_name: ${text(member.name)}\n`}listen: "0.0.0.0:${NATS_PORT}"
max_payload: ${MAX_PAYLOAD_BYTES}
max_connections: ${MAX_CONNECTIONS}
max_subscriptions: ${MAX_SUBSCRIPTIONS}
ping_interval: ${text(PING_EVERY)}
ping_max: ${UNANSWERED_PINGS}
jetstream {
  store_dir: "jetstream"
  max_memory_store: ${MAX_MEMORY_BYTES}
}
# Who connects must show a certificate of this authority, and is the user whom its subject names.
tls {
${OWN_CERTIFICATE}
  verify_and_map: true
  timeout: 5
}
include ${text(NATS_ACCOUNTS)}
${member === undefined ? '' : clusterConfig(member)}`;
}

const OWN_CERTIFICATE = `  ca_file: ${text(IDENTITY_FILES.authority)}
  cert_file: ${text(IDENTITY_FILES.certificate)}
  key_file: ${text(IDENTITY_FILES.key)}`;

const addressOf = (host: string) => `${isIP(host) === 6 ? `[${host}]` : host}:${NATS_CLUSTER_PORT}`;

function clusterConfig({ name, hosts, certificates }: NatsMember): string {
  const routes = hosts.map((host) => text(`nats-route://${addressOf(host)}`));
  return `# The other servers. Only those whose keys are named here are let in: an agent's certificate is of the same authority.
# Clients know the servers from their identities, by the names that the certificates have.
cluster {
  name: "trawl"
  listen: "0.0.0.0:${NATS_CLUSTER_PORT}"
  # What the others are told, so that they do not come by an address that no certificate has.
  advertise: ${text(addressOf(name))}
  no_advertise: true
  routes: [${routes.join(', ')}]
  tls {
${OWN_CERTIFICATE.replaceAll(/^/gm, '  ')}
    verify: true
    pinned_certs: [${certificates.map(text).join(', ')}]
    timeout: 5
  }
}
`;
}

/** The accounts: written again whenever an agent comes or goes. */
export function natsAccounts(agents: readonly string[]): string {
  const users = [
    user(COORDINATOR, COORDINATOR, coordinatorPermissions()),
    ...agents.map((name) => user('agent', name, agentPermissions(name))),
  ];
  return `# Written by "trawl certs" whenever an agent is added or withdrawn; then: nats-server --signal reload
accounts {
  TRAWL {
    jetstream: enabled
    users: [
${users.join('\n')}
    ]
  }
}
`;
}

function user(role: string, name: string, { publish, subscribe }: Permissions): string {
  const allow = (subjects: readonly string[]) => `{ allow: [${subjects.map(text).join(', ')}] }`;
  return `      { user: ${text(`CN=${name},OU=${role}`)}, permissions: {
        publish: ${allow(publish)}
        subscribe: ${allow(subscribe)} } }`;
}

/**
 * The NATS servers of a cluster: a folder `nats-HOST/` for each, to take to its machine. Each has a certificate of its
 * own, so that none of them holds the coordinator's.
 */

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
  return sha256Of(key);
}
