import { Box } from 'ink';
import { usualGoal } from '../../lib/domain/ranking.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { columnsOf } from '../../lib/text/width.ts';
import { intervalAxis, type Scale } from '../draw/interval-track.ts';
import type { ParameterImportance } from '../source.ts';
import { shownEffects } from '../state/effects.ts';
import { crossTable } from '../state/marginals.ts';
import type { Model } from '../state/model.ts';
import { metricShown, pairShown } from '../state/selectors.ts';
import { HeatMap } from './HeatMap.tsx';
import { Label } from './Line.tsx';
import { ParameterEffect, trackPlace } from './ParameterEffect.tsx';

const WIDE = 120;
const MAX_INTERACTIONS = 6;

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** The effect of each parameter on a metric, on one scale, and a heat map of two parameters. */
export function ParametersView({ model, columns, lines }: Props) {
  const { board, importance } = model;
  const metric = metricShown(model);
  const goal = board.metrics.find(({ name }) => name === metric)?.goal ?? usualGoal(metric);
  const minimize = goal === 'minimize';
  const { effects, scale, estimated, why } = shownEffects(model);
  const wide = columns >= WIDE;
  const left = wide ? Math.floor(columns / 2) : columns;
  const right = wide ? columns - left - 2 : columns;
  const hasIntervals = effects.some(({ levels }) => levels.some(({ interval }) => interval !== undefined));
  const legend = `mean${hasIntervals ? ' and 95% interval' : ''} over finished trials`;
  const title = `${metric}, ${goal} (m: next metric)`;
  const isShort = columnsOf(`${title}; ${legend}`) <= columns;
  const notes = [
    ...(isShort ? [] : [legend]),
    ...(effects.length === 0 ? ['no parameter varies'] : []),
    ...(estimated ? ['estimate: the grid is not complete yet; means are adjusted for missing trials'] : []),
    ...(why === '' ? [] : [why]),
  ];
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text={isShort ? `${title}; ${legend}` : title} columns={columns} style="bold" />
      {notes.map((note) => (
        <Label key={note} text={note} columns={columns} style="dim" />
      ))}
      <Box flexDirection={wide ? 'row' : 'column'} columnGap={2} rowGap={1} paddingTop={1} flexShrink={0}>
        <Box flexDirection="column" width={left} rowGap={1} flexShrink={0}>
          {scale === undefined ? null : <Axis scale={scale} columns={left} />}
          {effects.map((effect) => (
            <ParameterEffect
              key={effect.parameter}
              effect={effect}
              scale={scale ?? NO_SCALE}
              minimize={minimize}
              estimated={estimated}
              columns={left}
            />
          ))}
        </Box>
        <Box flexDirection="column" width={right} rowGap={1} flexShrink={0}>
          <PairHeatMap
            model={model}
            metric={metric}
            minimize={minimize}
            columns={right}
            lines={Math.max(6, lines - 6)}
          />
          {wide ? (
            <Interactions importance={importance?.metric === metric ? importance : undefined} columns={right} />
          ) : null}
        </Box>
      </Box>
    </Box>
  );
}

/** The scale if no effect has a value to draw. */
const NO_SCALE: Scale = { low: 0, high: 0 };

function Axis({ scale, columns }: { readonly scale: Scale; readonly columns: number }) {
  const { left, width } = trackPlace(columns);
  return <Label text={' '.repeat(left) + intervalAxis(scale, width, formatMetric)} columns={columns} style="dim" />;
}

interface PairProps extends Props {
  readonly metric: string;
  readonly minimize: boolean;
}

function PairHeatMap({ model, metric, minimize, columns, lines }: PairProps) {
  const pair = pairShown(model);
  const crossing = pair && crossTable(model.analyzedConfigs, pair, metric);
  if (pair === undefined || crossing === undefined || crossing.down.length === 0) return null;
  const [down, across] = pair;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text={`${down} by ${across} (h: next pair; ":heat A B")`} columns={columns} style="bold" />
      <HeatMap
        down={{ name: down, values: crossing.down }}
        across={{ name: across, values: crossing.across }}
        value={crossing.mean}
        minimize={minimize}
        columns={columns}
        lines={lines}
      />
    </Box>
  );
}

function Interactions(props: { readonly importance: ParameterImportance | undefined; readonly columns: number }) {
  const found = props.importance?.interactions.slice(0, MAX_INTERACTIONS) ?? [];
  if (found.length === 0) return null;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text="interactions" columns={props.columns} style="bold" />
      {found.map(({ parameters: [a, b], share }) => (
        <Label
          key={`${a} ${b}`}
          text={`  ${a} x ${b}: ${(share * 100).toFixed(1)}% of the variance`}
          columns={props.columns}
        />
      ))}
    </Box>
  );
}
