import { Box } from 'ink';
import { formatMetric } from '../../lib/text/numbers.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { columnsOf, pad, truncate } from '../../lib/text/width.ts';
import { useShownText } from '../hooks/use-shown-text.ts';
import { Label, Line } from './Line.tsx';

const SHADES = '░▒▓█';
const MOST_COLUMN = 14;

interface Props {
  readonly down: { readonly name: string; readonly values: readonly string[] };
  readonly across: { readonly name: string; readonly values: readonly string[] };
  /** Returns the value of a cell; undefined if no trial of the cell has a result. */
  readonly value: (down: number, across: number) => number | undefined;
  /** Whether lower is better. The best cell has the darkest shade. */
  readonly minimize: boolean;
  readonly columns: number;
  readonly lines: number;
}

/**
 * A table of a metric over two parameters, shaded from worst to best. The heading has the number of rows and columns
 * that do not fit.
 */
export function HeatMap({ down, across, value, minimize, columns: width, lines }: Props) {
  const shown = useShownText();
  const all = down.values.flatMap((_, r) => across.values.flatMap((_, c) => value(r, c) ?? []));
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const side = Math.min(
    MOST_COLUMN,
    Math.max(...[down.name, ...down.values].map((text) => columnsOf(shown(text)))) + 1,
  );
  const cell = Math.min(MOST_COLUMN, Math.max(11, ...across.values.map((text) => columnsOf(shown(text)) + 2)));
  const columns = Math.min(across.values.length, Math.max(1, Math.floor((width - side) / cell)));
  const rows = Math.min(down.values.length, Math.max(1, lines - 2));
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
  const named = (text: string, room: number) => pad(truncate(shown(text), room - 1), room, 'right');
  return (
    <Box flexDirection="column">
      <Label text={`${down.name} down, ${across.name} across; darker = better${more}`} columns={width} style="dim" />
      <Box paddingLeft={side}>
        {across.values.slice(0, columns).map((text) => (
          <Label key={text} text={named(text, cell)} columns={cell} style="dim" />
        ))}
      </Box>
      {down.values.slice(0, rows).map((text, r) => (
        <Box key={text}>
          <Label text={named(text, side)} columns={side} style="dim" />
          <Line segments={Array.from({ length: columns }, (_, c) => shaded(r, c))} columns={width - side} />
        </Box>
      ))}
    </Box>
  );
}
