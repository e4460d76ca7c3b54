/** Enough of a trial's id to tell it from its neighbours, and to hand to `trawl show`. */
export const SHORT_ID = 8;

export const shortId = (id: string): string => id.slice(0, SHORT_ID);
