/** Formats the number of trials that a sweep has not created yet. */
import type { Sweep } from '../../proto/gen/trawl/v1/types.ts';
import { trialsToCome, trialTotal } from '../domain/trial-state.ts';
import { formatCount } from './numbers.ts';

/** Returns the trials to come, such as `999,000 to come`; empty if there are none. */
export function toComeText(sweep: Sweep): string {
  const toCome = trialsToCome(sweep);
  if (toCome === 0) return '';
  return Number.isFinite(toCome) ? `${formatCount(toCome)} to come` : 'more to come';
}

/** Returns the number of all trials, such as `1,000,000 trials` or `trials without limit`. */
export function totalText(sweep: Sweep): string {
  if (!Number.isFinite(trialsToCome(sweep))) return 'trials without limit';
  const total = trialTotal(sweep);
  return `${formatCount(total)} ${total === 1 ? 'trial' : 'trials'}`;
}
