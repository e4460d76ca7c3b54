/** How urgent sweeps are beside each other. */

/** A priority is a whole number from minus this to this. */
export const MAX_PRIORITY = 1_000;
/** What a sweep has that says nothing. */
export const DEFAULT_PRIORITY = 0;

/** A weight is a number from this to MAX_WEIGHT. */
export const MIN_WEIGHT = 0.001;
export const MAX_WEIGHT = 1_000;
export const DEFAULT_WEIGHT = 1;
