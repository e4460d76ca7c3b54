/** What a report of metrics may be: checked where one is made, and again where it arrives. */

/** Metrics that one report may carry. */
export const MAX_METRICS = 256;
