import { Box } from 'ink';
import { formatMetric } from '../../lib/text/numbers.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { pad, truncate } from '../../lib/text/width.ts';
import { useShownText } from '../hooks/use-shown-text.ts';
import type { ParameterImportance } from '../source.ts';
import type { MarginalLevel } from '../state/marginals.ts';
import { Label, Line } from './Line.tsx';

const BAR = 16;
const VALUE = 14;

type Effect = ParameterImportance['effects'][number];

interface Props {
  readonly name: string;
  readonly effect: Effect | undefined;
  readonly levels: readonly MarginalLevel[];
  readonly minimize: boolean;
  readonly columns: number;
}

/** A parameter with its share of the variance, and the metric at each of its values. The longest bar is the best value. */
export function ParameterEffect({ name, effect, levels, minimize, columns }: Props) {
  const shown = useShownText();
  const means = levels.map(({ mean }) => mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const room = Math.max(4, Math.min(30, columns - VALUE - 42));
  return (
    <Box flexDirection="column" width={columns} flexShrink={0}>
      <Line segments={titleOf(name, effect)} columns={columns} />
      {levels.length === 0 ? <Label text="  no result yet" columns={columns} style="dim" /> : null}
      {levels.map(({ value, mean, std, best, n }) => {
        const share = high > low ? (mean - low) / (high - low) : 1;
        const good = high > low && minimize ? 1 - share : share;
        const cells = 1 + Math.round(good * (room - 1));
        return (
          <Line
            key={value}
            segments={[
              { text: `  ${pad(truncate(shown(value), VALUE - 1), VALUE, 'left')} ` },
              { text: '█'.repeat(cells), style: good > 0.99 ? 'cyan' : undefined },
              { text: ' '.repeat(room - cells) },
              { text: ` ${pad(formatMetric(mean), 9, 'left')} ±${pad(std.toPrecision(2), 7, 'right')}` },
              { text: ` best ${formatMetric(best)}  n=${n}`, style: 'dim' },
            ]}
            columns={columns}
          />
        );
      })}
    </Box>
  );
}

function titleOf(name: string, effect: Effect | undefined): Segment[] {
  const title: Segment = { text: visibleText(name), style: 'bold' };
  if (effect === undefined) return [title];
  const cells = Math.round(effect.share * BAR);
  const p = effect.p === undefined ? '' : effect.p < 0.001 ? '  p<0.001' : `  p=${effect.p.toFixed(3)}`;
  return [
    title,
    { text: '  ' },
    { text: '█'.repeat(cells), style: 'cyan' },
    { text: '░'.repeat(BAR - cells), style: 'dim' },
    { text: ` ${(effect.share * 100).toFixed(1)}% of the variance${p}` },
  ];
}
