/**
 * Every NATS subject and stream, and who may use it. `cluster` is the coordinator's name, kept in its store, so that
 * several coordinators can share one NATS.
 */
import type { AttemptKey } from './gen/trawl/v1/attempt_service.ts';

/**
 * The work queue of a pool's offers. Its coordinator publishes; agents pull and acknowledge. A pool is of slots that
 * may run the same trials (coordinator/core/pools.ts).
 */
export function offerStream(cluster: string, pool: string): string {
  return `${offerStreams(cluster)}_${pool}`;
}

/** What the name of every work queue of a cluster begins with. */
export function offerStreams(cluster: string): string {
  return `TRAWL_OFFERS_${cluster}`;
}

/** The consumer of a work queue that all agents share. */
export const OFFER_CONSUMER = 'agents';

/** An offer's subject is its identity: the stream keeps one message a subject, so an offer cannot stand twice. */
export function offerSubject(cluster: string, pool: string, key: AttemptKey): string {
  return `trawl.${cluster}.offer.${pool}.${key.sweepId}.${key.trialId}.${key.attempt}`;
}

export function allOffers(cluster: string): string {
  return `trawl.${cluster}.offer.>`;
}

export function poolOffers(cluster: string, pool: string): string {
  return `trawl.${cluster}.offer.${pool}.>`;
}

/** Agents publish, each on its own; the coordinator listens to all. */
export function heartbeatSubject(cluster: string, agentId: string): string {
  return `trawl.${cluster}.heartbeat.${agentId}`;
}

export function allHeartbeats(cluster: string): string {
  return `trawl.${cluster}.heartbeat.*`;
}

/** What an agent may be called: one token of a subject, and safe in paths and tables. */
export const AGENT_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** What a sweep, a trial or a cluster is called: one token of a subject, and one step of a path. */
const ID = /^[A-Za-z0-9_-]{1,64}$/;

/** Whether a message names an attempt that there can be: its ids become subjects and folders. */
export function namesAttempt({ sweepId, trialId, attempt }: AttemptKey): boolean {
  return ID.test(sweepId) && ID.test(trialId) && Number.isSafeInteger(attempt) && attempt >= 1;
}

/** Where answers to requests on NATS go: a place of the connection's own, that no other may listen to. */
export function inboxPrefix(role: string, name: string): string {
  return `_INBOX_${role}_${name}`;
}

export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/**
 * All that an agent does on NATS: it beats, pulls offers from the queue that all agents share, and answers them. The
 * stars stand for the cluster, which is named by the coordinator's store when that is made.
 */
export function agentPermissions(agentId: string): Permissions {
  return {
    publish: [
      heartbeatSubject('*', agentId),
      `$JS.API.CONSUMER.INFO.*.${OFFER_CONSUMER}`,
      `$JS.API.CONSUMER.MSG.NEXT.*.${OFFER_CONSUMER}`,
      `$JS.ACK.*.${OFFER_CONSUMER}.>`,
    ],
    subscribe: [`${inboxPrefix('agent', agentId)}.>`],
  };
}

/** What the coordinator's connection is called, where it has an identity. */
export const COORDINATOR = 'coordinator';

/** The coordinator offers, keeps the streams, and listens to heartbeats. */
export function coordinatorPermissions(): Permissions {
  return {
    publish: [allOffers('*'), '$JS.API.>'],
    subscribe: [allHeartbeats('*'), `${inboxPrefix(COORDINATOR, COORDINATOR)}.>`],
  };
}

/** A server's address, or several with commas between, without users and passwords: for logs and messages. */
export function withoutSecrets(urls: string): string {
  return urls
    .split(',')
    .map((url) => url.replace(/^([a-z+]+:\/\/)?.*@/i, '$1'))
    .join(',');
}
