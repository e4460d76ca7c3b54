/**
 * Returns the number of runs of an expensive property: `runs` times TRAWL_PROPERTY_SHARE (default: 1). When the
 * slow suite tests further Node versions, it sets a smaller share, because the fast suite tests each property in full.
 */
export function propertyRuns(runs: number): number {
  return Math.ceil(runs * Number(process.env.TRAWL_PROPERTY_SHARE ?? 1));
}
