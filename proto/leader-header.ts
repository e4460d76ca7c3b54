/**
 * The metadata header in which a standby names HOST:PORT of the leader. The standby answers each call with the status
 * UNAVAILABLE and this header. The header is absent if no coordinator leads.
 */
export const LEADER_HEADER = 'trawl-leader';
