/**
 * Returns how often an expensive property is tested. TRAWL_PROPERTY_SHARE sets the share of the runs; default: 1. The
 * slow suite tests properties less often under other Node versions, because the fast suite has tested them in full.
 */
export function propertyRuns(runs: number): number {
  return Math.ceil(runs * Number(process.env.TRAWL_PROPERTY_SHARE ?? 1));
}
