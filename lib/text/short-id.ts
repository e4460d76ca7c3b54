/** The number of characters of a short id. Short ids are unique in practice, and commands accept them. */
export const SHORT_ID = 8;

/** Shortens an id for display. */
export const shortId = (id: string): string => id.slice(0, SHORT_ID);
