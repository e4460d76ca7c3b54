import { parameterText, SEED, splitParameters } from '../../lib/domain/parameters.ts';
import { formatMetric, formatSpread } from '../../lib/text/numbers.ts';
import { EMPTY_LINE, line, type StyledLine } from '../../lib/text/segment.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { seriesStyle } from '../../lib/text/style.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';
import { sideBySide } from '../draw/layout.ts';
import { type ChartSeries, legend, plot, seriesLetter } from '../draw/plot.ts';
import { bestTrial, type ConfigRow, spreadOf } from '../state/config-row.ts';
import type { Model } from '../state/model.ts';
import { metricShown } from './metric-shown.ts';
import { epochAt, epochShown, reconstruction, seriesOf } from './panels.ts';

const WIDE = 120;
const PLOT_LINES = 12;
/** Of each: lower, ten digits cannot be told apart; higher, they are wider than most terminals. */
const [LEAST_PICTURE_LINES, MOST_PICTURE_LINES] = [10, 16];

/** What is marked, side by side: differing parameters, metrics, a curve each, reconstructions of the same images. */
export function compareView(model: Model, columns: number, lines: number): StyledLine[] {
  const all = markedRows(model);
  if (all.length === 0) {
    return [line('nothing is marked: Space on the leaderboard marks a config, c comes back here', 'dim')];
  }
  const metric = metricShown(model);
  const names = namesOf(all);
  const series = all.map(({ trial }, i): ChartSeries => seriesOf(names[i] ?? '', model.curveOf(trial.id), metric));
  const wide = columns >= WIDE;
  const left = wide ? Math.floor(columns / 2) : columns;
  const right = wide ? columns - left - 2 : columns;
  const table = tableOf(all, model, left);
  const height = wide ? Math.max(PLOT_LINES, table.length - 1) : PLOT_LINES;
  const curves = [...plot(`${metric} (m: the next metric)`, series, right, height), ...legend(series, right)];
  const figures = wide ? sideBySide([table, curves], [left, right]) : [...table, EMPTY_LINE, ...curves];
  const each = Math.floor((lines - figures.length - 1) / all.length) - 2;
  const room = Math.min(MOST_PICTURE_LINES, Math.max(LEAST_PICTURE_LINES, each));
  return [...figures, EMPTY_LINE, ...picturesOf(all, names, model, columns, room)];
}

/** What tells them apart: the parameters that differ, or where none does their ids. */
function namesOf(all: readonly MarkedRow[]): string[] {
  const points = all.map(pointOf);
  const { varying } = splitParameters(points);
  return points.map((point, i) => {
    const differing = varying.map((name) => `${name}=${parameterText(point, name)}`).join(' ');
    return differing === '' ? (all[i]?.label.slice(2) ?? '') : differing;
  });
}

/** A config has no seed of its own. */
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
    cells: all.map(({ trial }) => `${trial.epoch}`),
  };
  const columns: Column<TableRow>[] = [
    { header: '', cell: ({ name }) => name },
    ...all.map(
      ({ label }, i): Column<TableRow> => ({
        header: label,
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
      ? ', mean ± standard deviation over seeds'
      : '';
  return [
    line(visibleText(`compared: ${all.length}${seeds}`), 'dim'),
    { segments: header },
    ...rows.map((segments): StyledLine => ({ segments })),
    ...(hidden.length === 0 ? [] : [line(`no room for ${hidden.join(', ')}`, 'dim')]),
  ];
}

function metricText({ trial, config }: MarkedRow, name: string): string {
  if (config === undefined) return formatMetric(trial.metrics[name]);
  const spread = spreadOf(config, name);
  if (spread === undefined) return '-';
  return spread.n === 1 ? formatMetric(spread.mean) : formatSpread(spread.mean, spread.std);
}

/** At the epoch that the first shows; of the others their nearest look before it. */
function picturesOf(
  all: readonly MarkedRow[],
  names: readonly string[],
  model: Model,
  width: number,
  room: number,
): StyledLine[] {
  const details = all.map(({ trial }) => model.details.get(trial.id));
  const first = details.find((detail) => detail !== undefined && detail.epochs.length > 0);
  const epoch = first && epochShown(first, model.ui.epochsBack);
  return all.flatMap(({ label }, i): StyledLine[] => {
    const detail = details[i];
    const own = detail === undefined || epoch === undefined ? undefined : epochAt(detail, epoch);
    const name = line(visibleText(`${label.slice(0, 1)} ${names[i]}`), seriesStyle(i));
    return [name, ...reconstruction(model, detail, own, width, room), EMPTY_LINE];
  });
}

/** What is marked, as the compare view and the overlaid curves show it. */

export interface MarkedRow {
  readonly label: string;
  /** Its own, or the best of its config. */
  readonly trial: Trial;
  /** Where a config of several replicates is marked, not one of them. */
  readonly config: ConfigRow | undefined;
}

/** Side by side no more can be read. */
export const MAX_COMPARED = 6;

/** In the order of marking; what is gone is left out. */
export function markedRows({ ui, state, board }: Pick<Model, 'ui' | 'state' | 'board'>): MarkedRow[] {
  const [own] = board.metrics;
  return [...ui.marks]
    .flatMap((id): Omit<MarkedRow, 'label'>[] => {
      const trial = state.trials.get(id);
      if (trial !== undefined) return [{ trial, config: undefined }];
      const config = board.configs[board.at.get(id) ?? -1];
      if (config === undefined) return [];
      const best = bestTrial(config, own?.name ?? '', own?.goal !== 'maximize');
      return [{ trial: best, config: config.trials.length > 1 ? config : undefined }];
    })
    .slice(0, MAX_COMPARED)
    .map((one, i) => ({ ...one, label: `${seriesLetter(i)} ${shortId(one.config?.id ?? one.trial.id)}` }));
}
