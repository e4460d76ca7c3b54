/** Limits the resources that a client can use (docs/security.md describes each limit). */

import { BadInputError } from '../../proto/errors.ts';

/** The largest message. A submission has a sweep file and a diff of up to 1 MiB each. */
export const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
/** Open calls per connection. An agent has one stream, and a few calls for each slot that starts an attempt. */
export const MAX_STREAMS = 1_024;
/** Open connections. Further connections are closed immediately. */
export const MAX_CONNECTIONS = 4_096;
/** A connection without an authenticated call is closed after this number of rejected calls. */
export const MAX_REJECTED_CALLS = 100;
/** The time limit of the TLS handshake. */
export const HANDSHAKE_MS = 10_000;
/** Keepalives detect a peer that disappeared without closing its connection. */
export const KEEPALIVE_EVERY_MS = 10_000;
export const KEEPALIVE_WAIT_MS = 5_000;
/** A connection without calls is closed after this time. Clients reconnect when needed. */
export const MAX_IDLE_MS = 5 * 60_000;
/** Connections are closed after this time, so that clients reconnect and show their certificate again. */
export const MAX_CONNECTION_AGE_MS = 24 * 3_600_000;
export const CONNECTION_AGE_GRACE_MS = 10 * 60_000;

/** A stream whose client reads nothing, and an upload that sends nothing, time out after this time. */
export const STALL_MS = 60_000;
/** The minimum rate of an upload, averaged over the time that the coordinator has waited for its data. */
export const MIN_UPLOAD_BYTES_PER_S = 1_024;

/** Records of one agent that are not yet durable. At this number, the coordinator stops reading the agent's stream. */
export const MAX_UNSETTLED_RECORDS = 4_096;
/** Answers that an agent has not read yet. */
export const MAX_UNREAD_ANSWERS = 8_192;
/** Events that a watcher has not read yet. */
export const WATCH_BACKLOG = 10_000;

/** Characters of each text in a hello: they become metric labels and table columns. */
export const MAX_LABEL = 200;
/** GPUs per agent: 16 cards in MIG mode have up to 112 instances. */
export const MAX_GPUS = 128;
/** Trainers per agent. */
export const MAX_TRAINERS = 64;
/** Characters of a reason, a file name or a metric name. */
export const MAX_NAME = 1_000;

/** Bytes of a repository's state, which lists untracked files, as JSON. */
export const MAX_GIT_STATE_BYTES = 256 * 1024;

/** Checks the length of a text. @throws {BadInputError} when the text is longer than MAX_NAME */
export function checkLength(name: string, text: string): void {
  if (text.length > MAX_NAME) throw new BadInputError(`${name} too long (max ${MAX_NAME} characters)`);
}
