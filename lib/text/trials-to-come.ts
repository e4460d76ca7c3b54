/**
 * Formats the number of trials of a sweep, and how many of them have finished. The number of trials is an upper bound
 * while a search can run out of new points, and while adaptive replicates can end with fewer trials.
 */
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { sweepProgress } from '../domain/progress.ts';
import { isUpperBound, trialsToCome, trialTotal } from '../domain/trial-state.ts';
import { formatCount } from './numbers.ts';

/** Returns `at most ` if the number of trials is an upper bound, and an empty text otherwise. */
export const atMostText = (sweep: Sweep): string => (isUpperBound(sweep) ? 'at most ' : '');

/** Returns the trials to come, such as `999,000 to come`; empty if there are none. */
export function toComeText(sweep: Sweep): string {
  const toCome = trialsToCome(sweep);
  if (toCome === 0) return '';
  return Number.isFinite(toCome) ? `${atMostText(sweep)}${formatCount(toCome)} to come` : 'more to come';
}

/** Returns the number of all trials, such as `1,000,000 trials`, `at most 264 trials` or `trials without limit`. */
export function totalText(sweep: Sweep): string {
  if (!Number.isFinite(trialsToCome(sweep))) return 'trials without limit';
  const total = trialTotal(sweep);
  return `${atMostText(sweep)}${formatCount(total)} ${total === 1 ? 'trial' : 'trials'}`;
}

/** Returns the number of all trials for a table, such as `500`, `≤264` or `∞`. */
export function shortTotalText(sweep: Sweep): string {
  if (!Number.isFinite(trialsToCome(sweep))) return '∞';
  return `${isUpperBound(sweep) ? '≤' : ''}${trialTotal(sweep)}`;
}

/** Returns the finished trials and all trials, such as `31/500` or `31/≤264`. */
export const progressText = (sweep: Sweep): string => `${sweepProgress(sweep).finished}/${shortTotalText(sweep)}`;

/**
 * Returns the progress as a whole percentage, such as `6%`; `≥6%` if the number of trials is an upper bound, and `-` if
 * it has no limit. Only a complete sweep has `100%`.
 */
export function percentText(sweep: Sweep): string {
  if (!Number.isFinite(trialsToCome(sweep))) return '-';
  return `${isUpperBound(sweep) ? '≥' : ''}${Math.floor(sweepProgress(sweep).share * 100)}%`;
}
