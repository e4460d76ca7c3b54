import { Box } from 'ink';
import { seriesStyle } from '../../lib/text/style.ts';
import { comparedNames } from '../state/compared.ts';
import type { Model } from '../state/model.ts';
import { epochAt, epochShown, markedRows, metricShown } from '../state/selectors.ts';
import { CompareTable } from './CompareTable.tsx';
import { Label } from './Line.tsx';
import { Legend, Plot, seriesLetter } from './Plot.tsx';
import { Reconstruction } from './Reconstruction.tsx';
import { seriesOf } from './TrialCurves.tsx';

const WIDE = 120;
const PLOT_LINES = 12;
const IMAGE_LINES = 12;

/** The marked rows side by side: differing parameters, metrics, curves, reconstructions of the same images. */
export function CompareView({ model, columns }: { readonly model: Model; readonly columns: number }) {
  const all = markedRows(model);
  if (all.length === 0) {
    const text = 'nothing is marked; on the leaderboard, Space marks a config and c compares';
    return <Label text={text} columns={columns} style="dim" />;
  }
  const metric = metricShown(model);
  const names = comparedNames(all);
  const series = all.map(({ trial }, i) => seriesOf(names[i] ?? '', model.curveOf(trial.id), metric));
  const wide = columns >= WIDE;
  const left = wide ? Math.floor(columns / 2) : columns;
  const right = wide ? columns - left - 2 : columns;
  const details = all.map(({ trial }) => model.details.get(trial.id));
  const first = details.find((detail) => detail !== undefined && detail.epochs.length > 0);
  const epoch = first && epochShown(first, model.ui.epochsBack);
  return (
    <Box flexDirection="column" rowGap={1} flexShrink={0}>
      <Box flexDirection={wide ? 'row' : 'column'} columnGap={2} rowGap={1} flexShrink={0}>
        <CompareTable model={model} all={all} columns={left} />
        <Box flexDirection="column" flexShrink={0}>
          <Plot title={`${metric} (m: next metric)`} series={series} columns={right} lines={PLOT_LINES} />
          <Legend series={series} columns={right} />
        </Box>
      </Box>
      {all.map(({ id }, i) => {
        const detail = details[i];
        const own = detail === undefined || epoch === undefined ? undefined : epochAt(detail, epoch);
        return (
          <Box key={id} flexDirection="column" flexShrink={0}>
            <Label text={`${seriesLetter(i)} ${names[i]}`} columns={columns} style={seriesStyle(i)} />
            <Reconstruction detail={detail} epoch={own} columns={columns} lines={IMAGE_LINES} />
          </Box>
        );
      })}
    </Box>
  );
}
