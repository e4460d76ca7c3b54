import type { Segment } from '../../lib/text/segment.ts';
import { trialStyle } from '../../lib/text/style.ts';
import type { TrialCounts } from '../../proto/gen/trawl/v1/types.ts';
import type { TrialStateName } from '../../proto/names.ts';
import { Line } from './Line.tsx';

/** A bar of trial states. */
export function StateBar({ counts, columns }: { readonly counts: TrialCounts; readonly columns: number }) {
  return <Line segments={stateBar(counts, columns)} columns={columns} />;
}

/**
 * The characters make the bar readable without color. Similar states, such as offered and pending, share a character.
 */
const PARTS: readonly (readonly [TrialStateName, string])[] = [
  ['succeeded', '█'],
  ['stopped', '▓'],
  ['failed', '×'],
  ['cancelled', '-'],
  ['running', '▒'],
  ['held', '▒'],
  ['interrupted', '▒'],
  ['offered', '░'],
  ['pending', '░'],
];

/**
 * Returns a bar of trial states. Rounds the cumulative counts instead of the single counts, so that the bar is exactly
 * `width` columns wide.
 */
function stateBar(counts: TrialCounts, width: number): Segment[] {
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
