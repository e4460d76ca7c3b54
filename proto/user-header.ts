/**
 * The metadata header in which a client gives its user. The header names people in logs and events, and grants nothing.
 */
export const USER_HEADER = 'trawl-user';

/** The maximum length of a user's name, in characters. Longer names are truncated. */
export const MAX_USER = 100;
