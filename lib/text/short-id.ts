/** Characters of a short id: enough to be unique in practice, and accepted by `trawl show`. */
export const SHORT_ID = 8;

/** Returns the first characters of an id, for people. */
export const shortId = (id: string): string => id.slice(0, SHORT_ID);
