import { Box } from 'ink';
import { usualGoal } from '../../lib/domain/ranking.ts';
import type { ParameterImportance } from '../source.ts';
import { crossTable, marginalLevels } from '../state/marginals.ts';
import type { Model } from '../state/model.ts';
import { metricShown, pairShown, parametersByImportance } from '../state/selectors.ts';
import { HeatMap } from './HeatMap.tsx';
import { Label } from './Line.tsx';
import { ParameterEffect } from './ParameterEffect.tsx';

const WIDE = 120;
const MAX_INTERACTIONS = 6;

interface Props {
  readonly model: Model;
  readonly columns: number;
  readonly lines: number;
}

/** The effect and importance of each parameter on a metric, and a heat map of two parameters. */
export function ParametersView({ model, columns, lines }: Props) {
  const { board, importance } = model;
  const metric = metricShown(model);
  const goal = board.metrics.find(({ name }) => name === metric)?.goal ?? usualGoal(metric);
  const minimize = goal === 'minimize';
  const current = importance?.metric === metric ? importance : undefined;
  const names = parametersByImportance(model);
  const wide = columns >= WIDE;
  const left = wide ? Math.floor(columns / 2) : columns;
  const right = wide ? columns - left - 2 : columns;
  const title = `${metric}, ${goal} (m: next metric); mean ± standard deviation over trials`;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text={title} columns={columns} style="bold" />
      {names.length === 0 ? <Label text="no parameter varies" columns={columns} style="dim" /> : null}
      {current === undefined || current.why === '' ? null : <Label text={current.why} columns={columns} style="dim" />}
      <Box flexDirection={wide ? 'row' : 'column'} columnGap={2} rowGap={1} paddingTop={1} flexShrink={0}>
        <Box flexDirection="column" width={left} rowGap={1} flexShrink={0}>
          {names.map((name) => (
            <ParameterEffect
              key={name}
              name={name}
              effect={current?.effects.find(({ parameter }) => parameter === name)}
              levels={marginalLevels(model.analysedConfigs, name, metric, minimize)}
              minimize={minimize}
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
          {wide ? <Interactions importance={current} columns={right} /> : null}
        </Box>
      </Box>
    </Box>
  );
}

interface PairProps extends Props {
  readonly metric: string;
  readonly minimize: boolean;
}

function PairHeatMap({ model, metric, minimize, columns, lines }: PairProps) {
  const pair = pairShown(model);
  const crossing = pair && crossTable(model.analysedConfigs, pair, metric);
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
