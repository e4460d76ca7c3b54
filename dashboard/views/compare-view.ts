import { ownValue } from '../../lib/domain/own-value.ts';
import { parameterText, SEED, splitParameters } from '../../lib/domain/parameters.ts';
import { formatMetric, formatSpread, formatStep } from '../../lib/text/numbers.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { sideBySide } from '../draw/layout.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import { legend, type PlotSeries, plot, seriesLetter } from '../draw/plot.ts';
import { rowSpread } from '../state/config-row.ts';
import type { Model } from '../state/model.ts';
import { epochAt, epochShown, type MarkedRow, markedRows, metricShown } from '../state/selectors.ts';
import { reconstruction, seriesOf } from './panels.ts';

const WIDE = 120;
const PLOT_LINES = 12;
/** With fewer lines the ten digits are unreadable, and with more they are wider than most terminals. */
const [MIN_IMAGE_LINES, MAX_IMAGE_LINES] = [10, 16];

/** Draws the marked rows side by side: differing parameters, metrics, curves, reconstructions of the same images. */
export function compareView(model: Model, columns: number, lines: number): StyledLine[] {
  const all = markedRows(model);
  if (all.length === 0) {
    return [styledLine('nothing is marked; on the leaderboard, Space marks a config and c compares', 'dim')];
  }
  const metric = metricShown(model);
  const names = namesOf(all);
  const series = all.map(({ trial }, i): PlotSeries => seriesOf(names[i] ?? '', model.curveOf(trial.id), metric));
  const wide = columns >= WIDE;
  const left = wide ? Math.floor(columns / 2) : columns;
  const right = wide ? columns - left - 2 : columns;
  const table = tableOf(all, model, left);
  const height = wide ? Math.max(PLOT_LINES, table.length - 1) : PLOT_LINES;
  const curves = [...plot(`${metric} (m: next metric)`, series, right, height), ...legend(series, right)];
  const figures = wide ? sideBySide([table, curves], [left, right]) : [...table, EMPTY_LINE, ...curves];
  const each = Math.floor((lines - figures.length - 1) / all.length) - 2;
  const room = Math.min(MAX_IMAGE_LINES, Math.max(MIN_IMAGE_LINES, each));
  return [...figures, EMPTY_LINE, ...imagesOf(all, names, model, columns, room)];
}

function namesOf(all: readonly MarkedRow[]): string[] {
  const points = all.map(pointOf);
  const { varying } = splitParameters(points);
  return points.map((point, i) => {
    const differing = varying.map((name) => `${name}=${parameterText(point, name)}`).join(' ');
    return differing === '' ? shortId(all[i]?.id ?? '') : differing;
  });
}

/** Returns the parameters of a row. A config has several seeds, so its seed is omitted. */
const pointOf = ({ trial, config }: MarkedRow) => (config === undefined ? trial : { parameters: trial.parameters });

interface TableRow {
  readonly name: string;
  readonly cells: readonly string[];
}

function tableOf(all: readonly MarkedRow[], model: Model, width: number): StyledLine[] {
  const points = all.map(pointOf);
  const { varying } = splitParameters(points);
  const parameters = varying.map(
    (name): TableRow => ({ name, cells: points.map((point) => parameterText(point, name)) }),
  );
  const names = [...new Set(all.flatMap(({ trial }) => Object.keys(trial.metrics)))].sort();
  const metrics = names.map((name): TableRow => ({ name, cells: all.map((one) => metricText(one, name)) }));
  const states: TableRow = {
    name: 'epoch',
    cells: all.map(({ trial }) => formatStep(trial.epoch)),
  };
  const columns: Column<TableRow>[] = [
    { header: '', cell: ({ name }) => name },
    ...all.map(
      ({ id }, i): Column<TableRow> => ({
        header: `${seriesLetter(i)} ${shortId(id)}`,
        numeric: true,
        cell: ({ cells }) => cells[i] ?? '',
        style: () => seriesStyle(i),
      }),
    ),
  ];
  const { header, rows, hidden } = layoutTable(columns, [...parameters, states, ...metrics], width);
  const seeds = varying.includes(SEED)
    ? ''
    : model.state.varying.includes(SEED)
      ? '; mean ± standard deviation over seeds'
      : '';
  return [
    styledLine(visibleText(`${all.length} compared${seeds}`), 'dim'),
    { segments: header },
    ...rows.map((segments): StyledLine => ({ segments })),
    ...(hidden.length === 0 ? [] : [styledLine(`hidden: ${hidden.join(', ')}`, 'dim')]),
  ];
}

function metricText({ trial, config }: MarkedRow, name: string): string {
  if (config === undefined) return formatMetric(ownValue(trial.metrics, name));
  const spread = rowSpread(config, name);
  if (spread === undefined) return '-';
  return spread.n === 1 ? formatMetric(spread.mean) : formatSpread(spread.mean, spread.std);
}

function imagesOf(
  all: readonly MarkedRow[],
  names: readonly string[],
  model: Model,
  width: number,
  room: number,
): StyledLine[] {
  const details = all.map(({ trial }) => model.details.get(trial.id));
  const first = details.find((detail) => detail !== undefined && detail.epochs.length > 0);
  const epoch = first && epochShown(first, model.ui.epochsBack);
  return all.flatMap((_, i): StyledLine[] => {
    const detail = details[i];
    const own = detail === undefined || epoch === undefined ? undefined : epochAt(detail, epoch);
    const name = styledLine(visibleText(`${seriesLetter(i)} ${names[i]}`), seriesStyle(i));
    return [name, ...reconstruction(model, detail, own, width, room), EMPTY_LINE];
  });
}
