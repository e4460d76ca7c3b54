import { Box } from 'ink';
import { commonParts } from '../../lib/text/common-parts.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { pad, truncate } from '../../lib/text/width.ts';
import { intervalTrack, type Scale } from '../draw/interval-track.ts';
import { useShownText } from '../hooks/use-shown-text.ts';
import type { EffectLevel } from '../source.ts';
import type { ShownEffect } from '../state/effects.ts';
import { Label, Line } from './Line.tsx';

const BAR = 16;
const VALUE = 14;
const MEAN = 28;
const LEAST_TRACK = 8;
/** The minimum width of a parameter's name. A long name is cut, so that the share and the verdict stay visible. */
const LEAST_NAME = 8;

/** Returns the number of columns to the left of the scale, and the width of the scale. */
export function trackPlace(columns: number): { readonly left: number; readonly width: number } {
  const left = VALUE + 3;
  return { left, width: Math.max(LEAST_TRACK, columns - left - MEAN) };
}

interface Props {
  readonly effect: ShownEffect;
  readonly scale: Scale;
  readonly minimize: boolean;
  readonly estimated: boolean;
  readonly columns: number;
}

/**
 * Shows a parameter's share of the metric's variation, and the metric's mean with its interval at each value of the
 * parameter.
 */
export function ParameterEffect({ effect, scale, minimize, estimated, columns }: Props) {
  const shown = useShownText();
  const { levels, significant } = effect;
  const means = levels.map(({ mean }) => mean);
  const best = minimize ? Math.min(...means) : Math.max(...means);
  const { width } = trackPlace(columns);
  const values = commonParts(levels.map(({ value }) => shown(value)));
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      <Line segments={titleOf(effect, estimated, columns)} columns={columns} />
      {levels.length === 0 ? <Label text="  no finished trial yet" columns={columns} style="dim" /> : null}
      {levels.map((level) => {
        const style = significant === false ? 'dim' : significant && level.mean === best ? 'cyan' : undefined;
        return (
          <Line
            key={level.value}
            segments={[
              { text: `  ${pad(values.cut(shown(level.value), VALUE - 1), VALUE, 'left')} `, style },
              { text: intervalTrack(level, scale, width), style },
              { text: ` ${meanText(level, shown)}`, style },
            ]}
            columns={columns}
          />
        );
      })}
    </Box>
  );
}

function meanText({ mean, interval, n }: EffectLevel, shown: (text: string) => string): string {
  const half = interval === undefined ? '' : ` ±${((interval.high - interval.low) / 2).toPrecision(2)}`;
  return `${pad(formatMetric(mean), 9, 'left')}${pad(shown(half), 8 + shown('±').length, 'right')} n=${n}`;
}

function titleOf({ parameter, share, p, significant }: ShownEffect, estimated: boolean, columns: number): Segment[] {
  const style: Style = significant === false ? 'dim' : 'bold';
  const titled = (rest: readonly Segment[]): Segment[] => {
    const room = Math.max(LEAST_NAME, columns - widthOf(rest));
    return [{ text: truncate(visibleText(parameter), room, 'middle'), style }, ...rest];
  };
  if (share === undefined) return titled([{ text: '  not analyzed', style: 'dim' }]);
  const cells = Math.round(Math.min(1, Math.max(0, share)) * BAR);
  const tail = p === undefined ? 'no test possible' : p < 0.001 ? 'p<0.001' : `p=${p.toFixed(3)}`;
  const verdict = significant === false ? `${tail}, not significant` : tail;
  return titled([
    { text: '  ' },
    { text: '█'.repeat(cells), style: significant === false ? 'dim' : 'cyan' },
    { text: '░'.repeat(BAR - cells), style: 'dim' },
    {
      text: ` ${(share * 100).toFixed(1)}%${estimated ? ' (estimate)' : ''}  ${verdict}`,
      style: significant === false ? 'dim' : undefined,
    },
  ]);
}
