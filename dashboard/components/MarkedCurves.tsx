import { Box } from 'ink';
import { shortId } from '../../lib/text/short-id.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import type { Model } from '../state/model.ts';
import { markedRows } from '../state/selectors.ts';
import { Legend, Plot } from './Plot.tsx';
import { seriesOf } from './TrialCurves.tsx';

/** The maximum number of marked rows in the chart. More curves would be hard to distinguish. */
const MAX_OTHERS = 6;

interface Props {
  readonly model: Model;
  readonly trial: Trial;
  readonly columns: number;
  readonly lines: number;
}

/** The ranking metric of a trial and of the marked rows in one chart. Draws nothing if no other row is marked. */
export function MarkedCurves({ model, trial, columns, lines }: Props) {
  const metric = model.board.metrics[0]?.name ?? '';
  const marked = markedRows(model).filter(({ trial: other }) => other.id !== trial.id);
  if (marked.length === 0) return null;
  const others = marked.slice(0, MAX_OTHERS);
  const count = others.length === marked.length ? '' : `${others.length} of ${marked.length} `;
  const series = [
    seriesOf('this trial', model.curveOf(trial.id), metric),
    ...others.map((row) => seriesOf(shortId(row.id), model.curveOf(row.trial.id), metric)),
  ];
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Plot title={`${metric}, with ${count}marked rows`} series={series} columns={columns} lines={lines} />
      <Legend series={series} columns={columns} />
    </Box>
  );
}
