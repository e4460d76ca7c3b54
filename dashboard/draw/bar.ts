import type { Segment } from '../../lib/text/segment.ts';
import { trialStyle } from '../../lib/text/style.ts';
import type { TrialCounts } from '../../proto/gen/trawl/v1/types.ts';
import type { TrialStateName } from '../../proto/names.ts';

/** Drawn from the left in this order; each has its own density, so that the bar reads without colour. */
const PARTS: readonly (readonly [TrialStateName, string])[] = [
  ['succeeded', '█'],
  ['stopped', '▓'],
  ['failed', '×'],
  ['cancelled', '-'],
  ['running', '▒'],
  ['offered', '░'],
  ['pending', '░'],
];

/** A bar of `width` columns by state. Cells are shared out by cumulative rounding, so that they always add up. */
export function stateBar(counts: TrialCounts, width: number): Segment[] {
  const total = PARTS.reduce((sum, [state]) => sum + counts[state], 0);
  if (total === 0) return [{ text: '░'.repeat(width), style: 'dim' }];
  let seen = 0;
  let drawn = 0;
  return PARTS.flatMap(([state, character]) => {
    seen += counts[state];
    const until = Math.round((seen / total) * width);
    const text = character.repeat(until - drawn);
    drawn = until;
    return text === '' ? [] : [{ text, style: trialStyle(state) }];
  });
}
