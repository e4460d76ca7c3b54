/** A nats-server's configuration that takes trawl's identities, and lets each do what its part needs. */
import { isIP } from 'node:net';
import { IDENTITY_FILES } from '../../lib/net/identity.ts';
import { agentPermissions, COORDINATOR, coordinatorPermissions, type Permissions } from '../../proto/subjects.ts';

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
export const NATS_CLUSTER_PORT = 6222;
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
