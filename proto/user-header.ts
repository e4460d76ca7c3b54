/**
 * The metadata header with the name of the user who runs a client, for logs and events. The header grants no
 * permissions.
 */
export const USER_HEADER = 'trawl-user';

/** The maximum length of a user's name, in characters. Longer names are truncated. */
export const MAX_USER = 100;
