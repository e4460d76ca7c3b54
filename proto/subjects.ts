/**
 * Defines all NATS subjects and streams, and the permissions on them. The names of streams, and the subjects of offers
 * and heartbeats, contain the name of the cluster (`cluster`). Each coordinator's store has its own cluster name, so
 * several coordinators can share one NATS server.
 */
import type { AttemptKey } from './gen/trawl/v1/attempt_service.ts';

/**
 * Returns the name of the work queue of a pool's offers. The coordinator publishes the offers, and agents pull and
 * acknowledge them. A pool is the set of slots that can run the same trials (coordinator/core/pools.ts).
 */
export function offerStream(cluster: string, pool: string): string {
  return `${offerStreams(cluster)}_${pool}`;
}

/** Returns the common prefix of the names of a cluster's work queues. */
export function offerStreams(cluster: string): string {
  return `TRAWL_OFFERS_${cluster}`;
}

/** The consumer that all agents of a work queue share. */
export const OFFER_CONSUMER = 'agents';

/** Returns an offer's subject. The stream keeps one message per subject, so an offer cannot be queued twice. */
export function offerSubject(cluster: string, pool: string, key: AttemptKey): string {
  return `trawl.${cluster}.offer.${pool}.${key.sweepId}.${key.trialId}.${key.attempt}`;
}

export function allOffers(cluster: string): string {
  return `trawl.${cluster}.offer.>`;
}

export function poolOffers(cluster: string, pool: string): string {
  return `trawl.${cluster}.offer.${pool}.>`;
}

/** Returns the subject of an agent's heartbeats. The coordinator subscribes to the heartbeats of all agents. */
export function heartbeatSubject(cluster: string, agentId: string): string {
  return `trawl.${cluster}.heartbeat.${subjectToken(agentId)}`;
}

export function allHeartbeats(cluster: string): string {
  return `trawl.${cluster}.heartbeat.*`;
}

/**
 * The maximum length of an agent's id, in characters. Domain names have the same limit (RFC 1035), so every fully
 * qualified host name can be an id.
 */
const MAX_AGENT_ID = 253;
const AGENT_ID = /^[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64})*$/;

/**
 * Returns the reason why a text is not an agent's id; undefined for a valid id. Every host name is a valid id. An id is
 * safe in paths, tables and subjects.
 */
export function agentIdProblem(id: string): string | undefined {
  if (AGENT_ID.test(id) && id.length <= MAX_AGENT_ID) return undefined;
  return (
    `invalid agent id ${JSON.stringify(id)}: expected letters, digits, underscores and hyphens, in parts of up to 64 characters ` +
    `separated by single dots, at most ${MAX_AGENT_ID} characters in total`
  );
}

/** Encodes an agent's id as one token of a subject. NATS splits subjects at dots, and no id contains a colon. */
function subjectToken(agentId: string): string {
  return agentId.replaceAll('.', ':');
}

/** The syntax of the ids of sweeps, trials and clusters. An id is one token of a subject and one folder of a path. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether an attempt key is valid. The ids in the key become parts of subjects and paths. */
export function isAttemptKey({ sweepId, trialId, attempt }: AttemptKey): boolean {
  return ID.test(sweepId) && ID.test(trialId) && Number.isSafeInteger(attempt) && attempt >= 1;
}

/**
 * Returns the prefix of the reply subjects of an identity's connections. No other identity is permitted to subscribe to
 * them.
 */
export function inboxPrefix(role: string, name: string): string {
  return `_INBOX_${role}_${subjectToken(name)}`;
}

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/**
 * The subject of requests for offers. A request has several replies: offers, and idle heartbeats while there is no
 * offer.
 */
export const OFFER_PULLS = `$JS.API.CONSUMER.MSG.NEXT.*.${OFFER_CONSUMER}`;
const OFFER_ACKNOWLEDGEMENTS = `$JS.ACK.*.${OFFER_CONSUMER}.>`;

/** The subjects that the agents' account imports from the coordinator's account. */
export const AGENT_SERVICES: readonly string[] = [allHeartbeats('*'), OFFER_PULLS, OFFER_ACKNOWLEDGEMENTS];

/**
 * Returns an agent's permissions: publish heartbeats, pull offers from the shared queues, and acknowledge them. A `*`
 * stands for the cluster's name, which is unknown until the coordinator has created its store.
 */
export function agentPermissions(agentId: string): Permissions {
  return {
    publish: [heartbeatSubject('*', agentId), OFFER_PULLS, OFFER_ACKNOWLEDGEMENTS],
    subscribe: [`${inboxPrefix('agent', agentId)}.>`],
  };
}

/** The name and role of the coordinator's identity. */
export const COORDINATOR = 'coordinator';

/** Returns the coordinator's permissions: publish offers, manage streams, and subscribe to heartbeats. */
export function coordinatorPermissions(): Permissions {
  return {
    publish: [allOffers('*'), '$JS.API.>'],
    subscribe: [allHeartbeats('*'), `${inboxPrefix(COORDINATOR, COORDINATOR)}.>`],
  };
}

/** Removes user names, passwords and tokens from a comma-separated list of server URLs, for logs and messages. */
export function withoutSecrets(urls: string): string {
  return urls
    .split(',')
    .map((url) => url.replace(/^([a-z+]+:\/\/)?.*@/i, '$1'))
    .join(',');
}
