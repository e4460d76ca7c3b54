import { Box } from 'ink';
import { ownValue } from '../../lib/domain/own-value.ts';
import type { ReportPoint } from '../state/curve-cache.ts';
import { Legend, Plot, type PlotSeries } from './Plot.tsx';

const LOSS = /loss/;
const PSNR = /psnr/;
/** The maximum number of curves in one panel. More curves would be hard to distinguish. */
const MAX_SERIES = 6;

export function seriesOf(name: string, points: readonly ReportPoint[], metric: string): PlotSeries {
  return {
    name,
    points: points.flatMap(({ epoch, metrics }) => {
      const value = ownValue(metrics, metric);
      return value === undefined ? [] : [[epoch, value] as const];
    }),
  };
}

interface Props {
  readonly points: readonly ReportPoint[];
  /** The newest epoch of the trial. If the trial has an epoch but no points, the points are still loading. */
  readonly epoch: number;
  /** The metric that is drawn on top of the other metrics in its panel. */
  readonly metric: string;
  /** The steps of the rungs that the trial has reached. Default: none. */
  readonly rungs?: readonly number[];
  readonly columns: number;
  readonly lines: number;
}

/** Losses, PSNRs and other metrics of a trial in separate panels, side by side. */
export function TrialCurves({ points, epoch, metric, rungs = [], columns, lines }: Props) {
  const groups = groupsOf(points, metric);
  if (groups.length === 0) {
    const empty = epoch > 0 ? 'loading the curves...' : undefined;
    return <Plot title="curves" series={[]} empty={empty} columns={columns} lines={lines} />;
  }
  const each = Math.floor((columns - 2 * (groups.length - 1)) / groups.length);
  return (
    <Box columnGap={2} flexShrink={0}>
      {groups.map(({ title, names }) => {
        const series = names.slice(0, MAX_SERIES).map((name) => seriesOf(name, points, name));
        const [only = ''] = names;
        return (
          <Box key={title} flexDirection="column" width={each} flexShrink={0}>
            <Plot
              title={names.length === 1 ? only : title}
              series={series}
              columns={each}
              lines={lines}
              marks={names.includes(metric) ? rungs : []}
            />
            {names.length === 1 ? null : <Legend series={series} columns={each} />}
          </Box>
        );
      })}
    </Box>
  );
}

function groupsOf(points: readonly ReportPoint[], metric: string) {
  const all = [...new Set(points.flatMap(({ metrics }) => Object.keys(metrics)))].sort();
  const names = all.includes(metric) ? [metric, ...all.filter((name) => name !== metric)] : all;
  return [
    { title: 'losses', names: names.filter((name) => LOSS.test(name)) },
    { title: 'PSNR, dB', names: names.filter((name) => PSNR.test(name)) },
    { title: 'other metrics', names: names.filter((name) => !LOSS.test(name) && !PSNR.test(name)) },
  ].filter((group) => group.names.length > 0);
}
