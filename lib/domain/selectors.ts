/**
 * Parses and formats selectors of trials. A selector is a prefix of the trial's id. If trials of several sweeps have
 * this prefix, the selector must also name the sweep: `SWEEP/ID`.
 */

export interface TrialSelector {
  /** The id or the name of a sweep, or `last`. Undefined if the selector names no sweep. */
  readonly sweep: string | undefined;
  /** A prefix of the id of the trial. */
  readonly trial: string;
}

/** Splits a selector at its last slash, because the name of a sweep can contain slashes. */
export function parseTrialSelector(selector: string): TrialSelector {
  const slash = selector.lastIndexOf('/');
  if (slash < 0) return { sweep: undefined, trial: selector };
  return { sweep: selector.slice(0, slash), trial: selector.slice(slash + 1) };
}

/**
 * Returns a selector that matches only this trial, even if trials of other sweeps have the same id; for example
 * `3/3f2a91bc`.
 */
export function trialSelector(sweepId: string, trialId: string): string {
  return `${sweepId}/${trialId}`;
}
