import { formatMetric } from '../../lib/text/numbers.ts';
import { line, type Segment, type StyledLine } from '../../lib/text/segment.ts';
import { trialStyle } from '../../lib/text/style.ts';
import { pad, truncate } from '../../lib/text/truncate.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
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

const LEVELS = '▁▂▃▄▅▆▇█';

/**
 * Values over time in `width` columns, from the lowest to the highest of them; the newest where there are more than
 * columns would show, evenly chosen. What is not finite leaves a gap.
 */
export function sparkline(values: readonly number[], width: number): string {
  const shown = values.length <= width ? values : evenly(values, width);
  const finite = shown.filter(Number.isFinite);
  const low = Math.min(...finite);
  const range = Math.max(...finite) - low;
  return shown
    .map((value) => {
      if (!Number.isFinite(value)) return ' ';
      const level = range === 0 ? 0 : Math.round(((value - low) / range) * (LEVELS.length - 1));
      return LEVELS[level];
    })
    .join('');
}

/** First and last are always in. */
function evenly(values: readonly number[], count: number): number[] {
  if (count < 2) return values.slice(-1);
  return Array.from({ length: count }, (_, i) => {
    return values[Math.round((i * (values.length - 1)) / (count - 1))] ?? Number.NaN;
  });
}

/** A metric over two parameters: a table of shades, each with its value beside it. */

const SHADES = '░▒▓█';
const MOST_COLUMN = 14;

export interface HeatMap {
  readonly down: { readonly name: string; readonly values: readonly string[] };
  readonly across: { readonly name: string; readonly values: readonly string[] };
  /** Undefined where no trial has a result. */
  readonly value: (down: number, across: number) => number | undefined;
  /** Whether less is better: the best cell has the fullest shade. */
  readonly minimize: boolean;
}

/** As many columns and rows as there is room for; what is left out is said. */
export function heatMap({ down, across, value, minimize }: HeatMap, width: number, height: number): StyledLine[] {
  const all = down.values.flatMap((_, r) => across.values.flatMap((_, c) => value(r, c) ?? []));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const side = Math.min(MOST_COLUMN, Math.max(...[down.name, ...down.values].map((text) => text.length)) + 1);
  const cell = Math.min(MOST_COLUMN, Math.max(11, ...across.values.map((text) => text.length + 2)));
  const columns = Math.min(across.values.length, Math.max(1, Math.floor((width - side) / cell)));
  const rows = Math.min(down.values.length, Math.max(1, height - 2));
  const shaded = (r: number, c: number): Segment => {
    const found = value(r, c);
    if (found === undefined) return { text: pad('-', cell, 'right'), style: 'dim' };
    const place = high > low ? (found - low) / (high - low) : 1;
    const good = minimize && high > low ? 1 - place : place;
    const shade = SHADES[Math.min(SHADES.length - 1, Math.floor(good * SHADES.length))] ?? '█';
    const style = good > 0.75 ? 'cyan' : good < 0.25 ? 'yellow' : undefined;
    return { text: pad(`${shade.repeat(2)} ${formatMetric(found)}`, cell, 'right'), style };
  };
  const left = [
    ...(columns < across.values.length ? [`${across.values.length - columns} columns`] : []),
    ...(rows < down.values.length ? [`${down.values.length - rows} rows`] : []),
  ];
  const more = left.length === 0 ? '' : `  (${left.join(' and ')} more than there is room for)`;
  return [
    line(visibleText(`${down.name} down, ${across.name} across; fuller is better${more}`), 'dim'),
    line(
      ' '.repeat(side) +
        across.values
          .slice(0, columns)
          .map((text) => pad(truncate(visibleText(text), cell - 1), cell, 'right'))
          .join(''),
      'dim',
    ),
    ...down.values.slice(0, rows).map((text, r): StyledLine => {
      const name = pad(truncate(visibleText(text), side - 1), side, 'right');
      const cells = Array.from({ length: columns }, (_, c) => shaded(r, c));
      return { segments: [{ text: name, style: 'dim' }, ...cells] };
    }),
  ];
}
