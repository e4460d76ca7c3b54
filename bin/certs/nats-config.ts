/** A nats-server's configuration that takes trawl's identities, and lets each do what its part needs. */
import { IDENTITY_FILES } from '../../proto/identity.ts';
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

const text = (value: string) => JSON.stringify(value);

/** The server's own file: written once, and then its owner's to change. Paths are below the folder that it stands in. */
export function natsServerConfig(): string {
  return `# Made by "trawl certs init"; yours to change. Start it in this folder: nats-server --config ${NATS_CONFIG}
listen: "0.0.0.0:4222"
max_payload: ${MAX_PAYLOAD_BYTES}
max_connections: ${MAX_CONNECTIONS}
max_subscriptions: ${MAX_SUBSCRIPTIONS}
jetstream {
  store_dir: "jetstream"
  max_memory_store: ${MAX_MEMORY_BYTES}
}
# Who connects must show a certificate of this authority, and is the user whom its subject names.
tls {
  ca_file: ${text(IDENTITY_FILES.authority)}
  cert_file: ${text(IDENTITY_FILES.certificate)}
  key_file: ${text(IDENTITY_FILES.key)}
  verify_and_map: true
  timeout: 5
}
include ${text(NATS_ACCOUNTS)}
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
