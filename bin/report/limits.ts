/** Limits of a report on a large sweep. */

/** The maximum number of rows of the ranking. */
export const MAX_RANKED_CONFIGS = 50;
/** The maximum number of rows in the table of failures by class and message. */
export const MAX_FAILURE_GROUPS = 20;
/** The maximum number of agents that are named for one group of failures. */
export const MAX_AGENTS_LISTED = 5;
/** The maximum number of rows in the list of failed trials. */
export const MAX_FAILED_TRIALS = 50;
/** The maximum number of rows in the list of stopped trials. */
export const MAX_STOPPED_TRIALS = 50;
/** The maximum number of characters of a failure message or of a stop reason. */
export const MAX_MESSAGE = 300;
/** The maximum number of lines in the parallel coordinates. */
export const MAX_PARALLEL_LINES = 400;
/** The maximum number of axes in the parallel coordinates, in addition to the objective. */
export const MAX_PARALLEL_AXES = 9;
/** The maximum number of panels in one figure. */
export const MAX_PANELS = 12;
/** The maximum number of lines in one panel, which equals the number of distinguishable colors. */
export const MAX_LINES = 6;
/** The maximum number of epochs that are drawn for one curve. */
export const MAX_EPOCHS_DRAWN = 200;
/** The maximum number of evenly spaced epochs in a table of curves. The last epochs of the lines can be added. */
export const MAX_EPOCHS_LISTED = 6;
/** The maximum number of values of one parameter in a table or on a chart's axis. */
export const MAX_LEVELS = 24;
/** The maximum number of interactions in the table of importance. */
export const MAX_INTERACTIONS = 10;
/** The maximum number of reconstructions, one for each value or range of values of the main parameter. */
export const MAX_RECONSTRUCTIONS = 8;
/** The maximum number of members in the drawing of a population. */
export const MAX_MEMBERS_DRAWN = 40;
/** The maximum number of rows in the list of a population's trials. */
export const MAX_LINEAGE_TRIALS = 200;
/** The maximum size of one image, in bytes. */
export const MAX_IMAGE_BYTES = 512 * 1024;
/** The maximum number of values of one axis, or of seeds, that the design section lists. */
export const MAX_VALUES_LISTED = 12;

/** Returns at most `most` items, evenly spaced, including the first and the last. */
export function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]).flatMap((of) =>
    of === undefined ? [] : [of],
  );
}
