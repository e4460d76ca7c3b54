/**
 * Every NATS subject and stream, and who may use it. `cluster` is the coordinator's name, kept in its store, so that
 * several coordinators can share one NATS.
 */

interface AttemptName {
  readonly sweepId: string;
  readonly trialId: string;
  readonly attempt: number;
}

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
export function offerSubject(cluster: string, pool: string, key: AttemptName): string {
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

/** A server's address, or several with commas between, without users and passwords: for logs and messages. */
export function withoutSecrets(urls: string): string {
  return urls
    .split(',')
    .map((url) => url.replace(/^([a-z+]+:\/\/)?.*@/i, '$1'))
    .join(',');
}
