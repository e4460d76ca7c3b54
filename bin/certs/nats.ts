/**
 * Writes the configuration files of NATS servers that accept trawl's identities. Each identity has its own permissions.
 */
import { X509Certificate } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { KnownIdentity } from '../../coordinator/auth/identities.ts';
import { sha256Of } from '../../lib/files/checksum.ts';
import { IDENTITY_FILES } from '../../lib/net/identity.ts';
import {
  AGENT_SERVICES,
  agentPermissions,
  COORDINATOR,
  coordinatorPermissions,
  OFFER_PULLS,
  type Permissions,
} from '../../proto/subjects.ts';
import { issue, type KeyAndCertificate } from './issue.ts';
import { writePrivately } from './private-file.ts';

export const NATS_CONFIG = 'nats.conf';
export const NATS_ACCOUNTS = 'nats-accounts.conf';

/** The maximum size of a message. Enough for a heartbeat: about 100 bytes for each attempt that the agent runs. */
const MAX_PAYLOAD_BYTES = 1024 * 1024;
const MAX_CONNECTIONS = 4_096;
/** The maximum number of subscriptions of one client. An agent needs one subscription. */
const MAX_SUBSCRIPTIONS = 64;
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

/** The port for clients. */
export const NATS_PORT = 4222;
const NATS_CLUSTER_PORT = 6222;
/**
 * A machine that loses power does not close its connections. The server therefore pings its clients at this interval,
 * and drops a client that has not answered two pings when the third is due.
 */
const PING_EVERY = '5s';
const UNANSWERED_PINGS = 2;

/** A NATS server of a cluster. */
export interface NatsMember {
  readonly name: string;
  /** Hosts of all servers. */
  readonly hosts: readonly string[];
  /** SHA-256 of the public key of each server, in hexadecimal. */
  readonly certificates: readonly string[];
}

const text = (value: string) => JSON.stringify(value);

/**
 * Returns the configuration file of a server. trawl writes the file once, and users can edit it afterward. Paths in
 * the file are relative to the folder of the file.
 * @param member the server; undefined if the server is not in a cluster
 */
export function natsServerConfig(member?: NatsMember): string {
  return `# Created by "trawl certs init"; you can edit it. Start the server in this folder: nats-server --config ${NATS_CONFIG}
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
# Clients need a certificate that is signed by the authority in ca_file. The subject of a client's certificate is the NATS user.
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
  return `# Connections between the servers. Only servers with the keys in pinned_certs are accepted, because
# agents also have certificates of this authority.
cluster {
  name: "trawl"
  listen: "0.0.0.0:${NATS_CLUSTER_PORT}"
  # The other servers connect to this address. Its host is the name in this server's certificate.
  advertise: ${text(addressOf(name))}
  # Clients already know the host names of all servers. The server does not send them other addresses, because the
  # certificates are not valid for those.
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

/** The names of two accounts: the coordinator's account, which owns the streams of offers, and the agents' account. */
const ACCOUNTS = { coordinator: 'TRAWL', agents: 'AGENTS' };

/**
 * Returns the accounts file. trawl rewrites the file whenever an agent is added or revoked.
 *
 * Agents have a separate account for this reason: a request can name any subject for its reply, and the server does not
 * check whether the agent may publish to that subject. With the separate account, a reply to an agent stays in the
 * agents' account, which has no stream and no JetStream API (docs/decisions/nats-accounts.md).
 */
export function natsAccounts(agents: readonly KnownIdentity[]): string {
  const responseType = (subject: string) => (subject === OFFER_PULLS ? ', response_type: "stream"' : '');
  const exported = AGENT_SERVICES.map((subject) => `{ service: ${text(subject)}${responseType(subject)} }`);
  const account = `account: ${text(ACCOUNTS.coordinator)}`;
  const imported = AGENT_SERVICES.map((subject) => `{ service: { ${account}, subject: ${text(subject)} } }`);
  return `# Generated by "trawl certs" whenever an agent is added or revoked. Apply it with: nats-server --signal reload
accounts {
  ${ACCOUNTS.coordinator} {
    jetstream: enabled
    users: [
${user(COORDINATOR, COORDINATOR, coordinatorPermissions())}
    ]
    exports: [
${exported.map((entry) => `      ${entry}`).join('\n')}
    ]
  }
  # The request of an agent names the subject of the reply. The NATS server does not check this subject.
  # A reply to an agent stays in the account of the agents, which has no stream.
  ${ACCOUNTS.agents} {
    users: [
${agents.map(({ name, serial }) => user('agent', name, agentPermissions(name), serial)).join('\n')}
    ]
    imports: [
${imported.map((entry) => `      ${entry}`).join('\n')}
    ]
  }
}
`;
}

/**
 * @param serial the serial number in the subject of the certificate. NATS rejects certificates with the same name and
 * another serial number, such as earlier certificates of the agent
 */
function user(role: string, name: string, { publish, subscribe }: Permissions, serial?: string): string {
  const allow = (subjects: readonly string[]) => `{ allow: [${subjects.map(text).join(', ')}] }`;
  const subject = `CN=${name},OU=${role}${serial === undefined ? '' : `,SERIALNUMBER=${serial}`}`;
  return `      { user: ${text(subject)}, permissions: {
        publish: ${allow(publish)}
        subscribe: ${allow(subscribe)} } }`;
}

/** The role in the certificates of NATS servers. NATS and the coordinator reject clients with this role. */
const ROLE = 'nats';
const PREFIX = 'nats-';

export interface NatsServers {
  /** Host names or addresses. */
  readonly hosts: readonly string[];
  /** The names under which programs on the same machine reach a server, such as `localhost`. */
  readonly localHosts: readonly string[];
  readonly days: number;
}

/**
 * Creates a folder `nats-HOST/` for each server of a cluster. Each server has its own certificate, so that no server
 * holds the coordinator's key.
 * @returns the folders
 */
export async function createNatsServers(
  dir: string,
  authority: KeyAndCertificate,
  { hosts, localHosts, days }: NatsServers,
): Promise<string[]> {
  const issued = await Promise.all(
    hosts.map((host) => issue(authority, { name: host, role: ROLE, hosts: [host, ...localHosts] }, days)),
  );
  const certificates = issued.map(({ certificate }) => keyHash(certificate));
  return hosts.map((host, at) => {
    const folder = natsFolder(dir, host);
    const member: NatsMember = { name: host, hosts, certificates };
    writePrivately(join(folder, IDENTITY_FILES.authority), authority.certificate);
    writePrivately(join(folder, IDENTITY_FILES.certificate), issued[at]?.certificate ?? '');
    writePrivately(join(folder, IDENTITY_FILES.key), issued[at]?.key ?? '');
    writePrivately(join(folder, NATS_CONFIG), natsServerConfig(member));
    return folder;
  });
}

/** Returns every folder from which a NATS server reads its accounts. */
export function natsFolders(dir: string): string[] {
  const cluster = readdirSync(dir).filter((name) => isNatsFolder(dir, name));
  return cluster.length > 0 ? cluster.map((name) => join(dir, name)) : [join(dir, 'server')];
}

/** Whether a folder contains the identity of a NATS server of a cluster. */
export function isNatsFolder(dir: string, name: string): boolean {
  return name.startsWith(PREFIX) && existsSync(join(dir, name, NATS_CONFIG));
}

/**
 * Returns the folder of a NATS server. The folder's name contains no colons, because scp would parse a colon of an IPv6
 * address as the end of a host name.
 */
function natsFolder(dir: string, host: string): string {
  return join(dir, `${PREFIX}${host.replaceAll(':', '-')}`);
}

/** Returns the SHA-256 of a certificate's public key, as `pinned_certs` of nats-server expects it. */
function keyHash(certificate: string): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return sha256Of(key);
}
