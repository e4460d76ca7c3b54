/**
 * The metadata header in which a coordinator that does not lead names HOST:PORT of the leader. Such a coordinator runs
 * no call, and answers each call with the status UNAVAILABLE and this header. The header is empty if the coordinator
 * knows no leader.
 */
export const LEADER_HEADER = 'trawl-leader';

/**
 * The metadata header of a call that failed with the status UNAVAILABLE although the leader received it, for example
 * because a file is not ready yet. The call can be repeated at the same coordinator.
 */
export const REACHED_HEADER = 'trawl-reached';
