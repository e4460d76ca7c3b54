/** Defines the limits on the resources that a client can use (docs/security.md describes each limit). */

import { BadInputError } from '../../proto/errors.ts';

/** The maximum size of a message, in bytes. A submission contains a sweep file and a diff of up to 1 MiB each. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/**
 * The maximum number of open calls per connection. An agent has one stream, and a few calls for each slot that
 * transfers files.
 */
export const MAX_STREAMS = 1_024;
/**
 * The maximum number of open connections. A further connection replaces the oldest unauthenticated connection. If there
 * is no unauthenticated connection, the further connection is closed immediately.
 */
export const MAX_CONNECTIONS = 4_096;
/** The number of rejected calls after which a connection without an authenticated call is closed. */
export const MAX_REJECTED_CALLS = 100;
/** The time limit of the TLS handshake. */
export const HANDSHAKE_MS = 10_000;
/** The interval of the keepalive messages, which detect a peer that disappeared without closing its connection. */
export const KEEPALIVE_EVERY_MS = 10_000;
export const KEEPALIVE_WAIT_MS = 5_000;
/** The time after which a connection without calls is closed. Clients reconnect when they need a connection. */
export const MAX_IDLE_MS = 5 * 60_000;
/** The time after which every connection is closed, so that clients reconnect and present their certificate again. */
export const MAX_CONNECTION_AGE_MS = 24 * 3_600_000;
export const CONNECTION_AGE_GRACE_MS = 10 * 60_000;

/** The time limit for a stream whose client reads nothing, and for an upload whose client sends nothing. */
export const STALL_MS = 60_000;
/** The minimum rate of an upload, averaged over the time that the coordinator has waited for its data. */
export const MIN_UPLOAD_BYTES_PER_S = 1_024;

/**
 * When this many records and claims of an agent are not durable yet, the coordinator stops reading the stream of the
 * agent. The coordinator continues when fewer than half of this number are left.
 */
export const MAX_UNSETTLED_RECORDS = 4_096;
/** The maximum number of answers that an agent has not read yet. A further answer ends the agent's stream. */
export const MAX_UNREAD_ANSWERS = 8_192;
/** The maximum number of events that a watcher has not read yet. Further events end the watch. */
export const WATCH_BACKLOG = 10_000;

/**
 * The maximum length of each text in a hello, in characters. The texts become metric labels and table columns. The
 * agent's id and its labels have their own limits (proto/subjects.ts, proto/limits.ts).
 */
export const MAX_LABEL = 200;
/** The maximum number of GPUs per agent. For example, 16 cards in MIG mode have up to 112 instances. */
export const MAX_GPUS = 128;
/** The maximum number of trainers per agent. */
export const MAX_TRAINERS = 64;
/** The maximum length of a reason, a file name, a request id or a metric name, in characters. */
export const MAX_NAME = 1_000;

/**
 * The maximum size of a repository's state as JSON, in bytes. The state can be large, because it lists untracked files.
 */
export const MAX_GIT_STATE_BYTES = 256 * 1024;

/**
 * Checks the length of a text.
 * @throws {BadInputError} if the text is longer than MAX_NAME
 */
export function checkLength(name: string, text: string): void {
  if (text.length > MAX_NAME) throw new BadInputError(`${name} too long (max ${MAX_NAME} characters)`);
}
