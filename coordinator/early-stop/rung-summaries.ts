/** Summarizes the rungs of a sweep: how many trials entered each rung, and how many of them the rule stopped there. */
import { ascending, groups, median } from 'd3-array';
import type { RungSummary } from '../../proto/gen/trawl/v1/sweep_service.ts';
import type { GoalName, TrialStateName } from '../../proto/names.ts';
import { keptAt } from './asha.ts';
import { hyperbandBound } from './hyperband.ts';
import { promotedAt } from './promotion.ts';
import { signOf } from './rule.ts';
import type { EarlyTerminate } from './settings.ts';

/** One trial that has entered a rung. */
export interface RungEntryRow {
  readonly rung: number;
  readonly value: number;
  /** The state of the trial that entered the rung. */
  readonly state: TrialStateName;
  /** Whether this is the last rung that the trial has entered. */
  readonly isLast: boolean;
}

/** Returns a summary of each rung, in ascending order of the rungs. */
export function rungSummaries(rows: readonly RungEntryRow[], settings: EarlyTerminate, goal: GoalName): RungSummary[] {
  const sign = signOf(goal);
  return groups(rows, ({ rung }) => rung)
    .sort(([a], [b]) => a - b)
    .map(([rung, entries]) => {
      const scores = entries.map(({ value }) => sign * value).sort(ascending);
      const bound = boundOf(scores, settings);
      const last = entries.filter(({ isLast }) => isLast);
      return {
        rung,
        reached: entries.length,
        stopped: last.filter(({ state }) => state === 'stopped').length,
        running: last.filter(({ state }) => state === 'running').length,
        held: last.filter(({ state }) => state === 'held').length,
        best: sign * (scores[0] ?? Number.NaN),
        bound: bound === undefined ? undefined : sign * bound,
      };
    });
}

/**
 * Returns the worst score with which a trial would continue at a rung. Undefined if the rule has no such score.
 * @param scores the scores at the rung, in ascending order
 */
function boundOf(scores: readonly number[], settings: EarlyTerminate): number | undefined {
  switch (settings.type) {
    case 'asha':
      return settings.variant === 'promotion'
        ? scores[promotedAt(scores.length, settings.eta) - 1]
        : scores[keptAt(scores.length, settings.eta) - 1];
    case 'hyperband':
      return hyperbandBound(scores, settings.eta);
    case 'median':
      return scores.length < Math.max(1, settings.minTrials) ? undefined : median(scores);
    case 'patience':
    case 'threshold':
      return undefined;
  }
}
