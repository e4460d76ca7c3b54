import { sum } from 'd3-array';
import { Box } from 'ink';
import { usualGoal } from '../../lib/domain/ranking.ts';
import { countText } from '../../lib/text/numbers.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import { shrinkToFit } from '../draw/pixel-image.ts';
import { wrapWords } from '../draw/wrap-words.ts';
import {
  comparedNames,
  comparisonTitle,
  comparisonVerdict,
  curveTrials,
  hasCutOff,
  markedComparison,
  resultsOf,
  tableColumns,
} from '../state/compared.ts';
import type { Model } from '../state/model.ts';
import { meanCurve } from '../state/replicate-curve.ts';
import { epochAt, epochShown, type MarkedRow, metricShown } from '../state/selectors.ts';
import { CompareTable, comparedFacts } from './CompareTable.tsx';
import { Label, Paragraph } from './Line.tsx';
import { Legend, Plot, type PlotSeries, seriesLetter } from './Plot.tsx';
import { Reconstruction } from './Reconstruction.tsx';

const WIDE = 120;
const PLOT_LINES = 12;
const LEAST_PLOT_LINES = 5;
/** The number of lines for the title, the heading of the table and the heading of the verdicts. */
const HEADING_LINES = 3;
const IMAGE_LINES = 12;
/** The minimum width of a picture that is drawn beside another picture. */
const IMAGE_COLUMNS = 56;

interface Props {
  readonly model: Model;
  readonly columns: number;
  /** The number of visible lines of the body. */
  readonly lines: number;
}

/**
 * The marked rows side by side: differing parameters, metrics, verdicts, curves, and reconstructions of the same
 * images.
 */
export function CompareView({ model, columns, lines: visible }: Props) {
  const comparison = markedComparison(model);
  const { shown } = comparison;
  if (shown.length === 0) {
    const text = 'nothing is marked; on the leaderboard, Space marks a config and c compares';
    return <Label text={text} columns={columns} style="dim" />;
  }
  const metric = metricShown(model);
  const names = comparedNames(shown);
  const series = shown.map((row, i) => meanSeries(model, row, names[i] ?? '', metric));
  const wide = columns >= WIDE && tableColumns(shown.length) <= Math.floor(columns / 2);
  const left = wide ? Math.floor(columns / 2) : columns;
  const right = wide ? columns - left - 2 : columns;
  const hasPictures = shown.some(({ trial }) => (model.details.get(trial.id)?.epochs.length ?? 0) > 0);
  // The last line is reserved for the hint that the pictures are below.
  const lines = hasPictures ? visible - 1 : visible;
  const facts = comparedFacts(shown, metric);
  const verdicts = verdictsOf(model, shown, metric);
  const least = HEADING_LINES + facts.points.length + sum(verdicts, (text) => wrapWords(text, left).length);
  const needed = least + facts.metrics.length;
  // On a small terminal, the gaps, the legend and some metrics are omitted, and the plot is smaller.
  const isTight = lines < (wide ? needed + 2 : needed + PLOT_LINES + 3);
  const plotLines = isTight
    ? Math.max(LEAST_PLOT_LINES, Math.min(PLOT_LINES, wide ? lines - 1 : lines - needed))
    : PLOT_LINES;
  const room = lines - least - (wide ? 0 : LEAST_PLOT_LINES);
  const maxMetrics = isTight && facts.metrics.length > room ? Math.max(1, room) : facts.metrics.length;
  const omitted = facts.metrics.length - maxMetrics;
  const note = omitted === 0 ? '' : `; ${countText(omitted, 'more metric')} (m: next metric)`;
  const gap = isTight ? 0 : 1;
  const hasBand = series.some(({ band }) => band !== undefined);
  const deviation = `${metric}, mean ± standard deviation (m: next metric)`;
  const title =
    hasBand && deviation.length <= right ? deviation : `${metric}${hasBand ? ', mean ± sd' : ''} (m: next metric)`;
  return (
    <Box flexDirection="column" rowGap={gap} flexShrink={0}>
      <Label
        text={comparisonTitle(comparison) + note}
        columns={columns}
        style={comparison.hidden.length > 0 ? 'yellow' : 'dim'}
      />
      <Box flexDirection={wide ? 'row' : 'column'} columnGap={2} rowGap={gap} flexShrink={0}>
        <Box flexDirection="column" width={left} rowGap={gap} flexShrink={0}>
          <CompareTable all={shown} facts={facts} maxMetrics={maxMetrics} columns={left} />
          <Verdicts
            texts={verdicts}
            title={`${metric}, ${isMinimized(model, metric) ? 'lower' : 'higher'} is better`}
            columns={left}
          />
        </Box>
        <Box flexDirection="column" flexShrink={0}>
          <Plot title={title} series={series} columns={right} lines={plotLines} />
          {isTight ? null : <Legend series={series} columns={right} />}
        </Box>
      </Box>
      <Pictures model={model} shown={shown} names={names} columns={columns} />
    </Box>
  );
}

/**
 * Returns the mean curve of a row's replicates. If the row has several replicates, a band shows one standard deviation
 * above and below the mean.
 */
function meanSeries(model: Model, row: MarkedRow, name: string, metric: string): PlotSeries {
  const trials = curveTrials(row);
  const curve = meanCurve(
    trials.map(({ id }) => model.curveOf(id)),
    metric,
  );
  const points = curve.map(({ epoch, mean }) => [epoch, mean] as const);
  if (trials.length < 2) return { name, points };
  return { name, points, band: curve.map(({ epoch, mean, std }) => [epoch, mean - std, mean + std]) };
}

interface ShownProps {
  readonly model: Model;
  readonly columns: number;
  readonly shown: readonly MarkedRow[];
}

/** Returns one verdict for each row after the first row. The verdict compares the row with the first row. */
function verdictsOf(model: Model, shown: readonly MarkedRow[], metric: string): string[] {
  if (shown.length < 2) return [];
  const differences = model.differencesOf(shown.map((row) => resultsOf(row, metric)));
  return shown
    .slice(1)
    .map((row, i) =>
      comparisonVerdict(
        [seriesLetter(i + 1), seriesLetter(0)],
        differences[i + 1],
        isMinimized(model, metric),
        [row, ...shown.slice(0, 1)].some(hasCutOff),
      ),
    );
}

const isMinimized = ({ board }: Model, metric: string): boolean =>
  (board.metrics.find(({ name }) => name === metric)?.goal ?? usualGoal(metric)) === 'minimize';

interface VerdictsProps {
  readonly texts: readonly string[];
  readonly title: string;
  readonly columns: number;
}

function Verdicts({ texts, title, columns }: VerdictsProps) {
  if (texts.length === 0) return null;
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text={title} columns={columns} style="bold" />
      {texts.map((text) => (
        <Box key={text} width={columns} flexShrink={0}>
          <Paragraph text={text} />
        </Box>
      ))}
    </Box>
  );
}

/** Reconstructions of the same images at one scale, side by side where there is room. */
function Pictures({ model, shown, names, columns }: ShownProps & { readonly names: readonly string[] }) {
  const details = shown.map(({ trial }) => model.details.get(trial.id));
  const first = details.find((detail) => detail !== undefined && detail.epochs.length > 0);
  if (first === undefined) return null;
  const epoch = epochShown(first, model.ui.epochsBack);
  const beside = Math.max(1, Math.min(shown.length, Math.floor(columns / IMAGE_COLUMNS)));
  const width = Math.floor((columns - 2 * (beside - 1)) / beside);
  const epochs = details.map((detail) => (detail && epoch !== undefined ? epochAt(detail, epoch) : undefined));
  const shrinks = details.flatMap((detail, i) => {
    const image = detail?.images.get(epochs[i] ?? Number.NaN);
    return image === undefined ? [] : [shrinkToFit(image.pixels, width, IMAGE_LINES - 1)];
  });
  const shrink = shrinks.length === 0 ? undefined : Math.max(...shrinks);
  return (
    <Box flexWrap="wrap" columnGap={2} rowGap={1} width={columns} flexShrink={0}>
      {shown.map(({ id }, i) => (
        <Box key={id} flexDirection="column" width={width} flexShrink={0}>
          <Label text={`${seriesLetter(i)} ${names[i]}`} columns={width} style={seriesStyle(i)} />
          <Reconstruction detail={details[i]} epoch={epochs[i]} columns={width} lines={IMAGE_LINES} shrink={shrink} />
        </Box>
      ))}
    </Box>
  );
}
