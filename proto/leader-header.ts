/**
 * The metadata header in which a coordinator that does not lead names HOST:PORT of the leader. It answers each call with
 * the status UNAVAILABLE and this header, and runs no call. The header is empty if the coordinator knows no leader.
 */
export const LEADER_HEADER = 'trawl-leader';
