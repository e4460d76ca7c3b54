/** The metadata header in which a client gives its user. It names people in logs and events, and grants nothing. */
export const USER_HEADER = 'trawl-user';

/** Characters of a user's name; longer ones are cut. */
export const MAX_USER = 100;
