/** What one client may take of the coordinator. Each is described in docs/security.md. */

import { BadInputError } from '../../proto/errors.ts';

/** Larger messages are refused: a sweep file, or a batch of trials, is far smaller. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;
/** Calls that one connection may have open: an agent has one stream, and a few more for each slot that begins. */
export const MAX_STREAMS = 1_024;
/** Connections to the coordinator; more are closed at once. */
export const MAX_CONNECTIONS = 4_096;
/** From the connection to the end of TLS's handshake. */
export const HANDSHAKE_MS = 10_000;
/** A peer that went away without a word is noticed, and its streams closed. */
export const KEEPALIVE_EVERY_MS = 10_000;
export const KEEPALIVE_WAIT_MS = 5_000;
/** A connection without a call is closed; clients open another when they need it. */
export const MAX_IDLE_MS = 5 * 60_000;
/** A connection is made anew now and then, and its certificate looked at again. */
export const MAX_CONNECTION_AGE_MS = 24 * 3_600_000;
export const CONNECTION_AGE_GRACE_MS = 10 * 60_000;

/** A reader that takes nothing for so long is given up; so is who brings an artifact, and brings nothing. */
export const STALL_MS = 60_000;
/** Artifacts on their way in. */
export const MAX_PUTS = 256;
/** Left free on the disk, for the store. */
export const MIN_FREE_BYTES = 256 * 1024 * 1024;

/** Records of one agent that wait for the disk; the agent is not read from until they are fewer. */
export const MAX_UNSETTLED_RECORDS = 4_096;
/** Answers that an agent has not taken: all its slots may be answered at once. */
export const MAX_UNREAD_ANSWERS = 8_192;
/** Events that a watcher has not taken. */
export const WATCH_BACKLOG = 10_000;

/** Characters of what an agent says of itself: labels of metrics, and columns of tables. */
export const MAX_LABEL = 200;
/** GPUs that an agent may name. */
export const MAX_GPUS = 64;
/** Trainers that an agent may name. */
export const MAX_TRAINERS = 64;
/** Characters of a reason, a file's name, or the name of a metric. */
export const MAX_NAME = 1_000;

/** @throws {BadInputError} for a text that a person gives, and that is none */
export function mustBeShort(what: string, text: string): void {
  if (text.length > MAX_NAME) throw new BadInputError(`${what} may have ${MAX_NAME} characters`);
}
