import { formatMetric } from '../../lib/text/numbers.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { trialStyle } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { pad, truncate } from '../../lib/text/width.ts';
import type { TrialCounts } from '../../proto/gen/trawl/v1/types.ts';
import type { TrialStateName } from '../../proto/names.ts';
import { type StyledLine, styledLine } from './line.ts';

/** Each state has its own density, so that the bar reads without colour. */
const PARTS: readonly (readonly [TrialStateName, string])[] = [
  ['succeeded', '█'],
  ['stopped', '▓'],
  ['failed', '×'],
  ['cancelled', '-'],
  ['running', '▒'],
  ['interrupted', '▒'],
  ['offered', '░'],
  ['pending', '░'],
];

/** Returns a bar of trial states, exactly `width` columns wide (by cumulative rounding). */
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
 * Returns a line chart of one character per value, at most `width` characters. More values are sampled evenly, first and
 * last included. Values that are not finite leave a gap.
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

function evenly(values: readonly number[], count: number): number[] {
  if (count < 2) return values.slice(-1);
  return Array.from({ length: count }, (_, i) => {
    return values[Math.round((i * (values.length - 1)) / (count - 1))] ?? Number.NaN;
  });
}

const SHADES = '░▒▓█';
const MOST_COLUMN = 14;

export interface HeatMap {
  readonly down: { readonly name: string; readonly values: readonly string[] };
  readonly across: { readonly name: string; readonly values: readonly string[] };
  /** Undefined when no trial has a result. */
  readonly value: (down: number, across: number) => number | undefined;
  /** Whether lower is better. The best cell has the darkest shade. */
  readonly minimize: boolean;
}

/** Returns a table of a metric over two parameters, shaded from worst to best. Counts the rows and columns that do not fit. */
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
  const hidden = [
    ...(columns < across.values.length ? [`${across.values.length - columns} columns`] : []),
    ...(rows < down.values.length ? [`${down.values.length - rows} rows`] : []),
  ];
  const more = hidden.length === 0 ? '' : `  (${hidden.join(' and ')} hidden)`;
  return [
    styledLine(visibleText(`${down.name} down, ${across.name} across; darker = better${more}`), 'dim'),
    styledLine(
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
