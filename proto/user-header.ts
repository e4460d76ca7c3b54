/**
 * The metadata header in which a client gives its user. The header names people in logs and events, and grants nothing.
 */
export const USER_HEADER = 'trawl-user';

/** Characters of a user's name; longer names are cut. */
export const MAX_USER = 100;
