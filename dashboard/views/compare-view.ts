import { sideBySide } from '../draw/clip.ts';
import { formatMetric } from '../draw/numbers.ts';
import { legend, plot, type Series } from '../draw/plot.ts';
import { EMPTY_LINE, type Line, line } from '../draw/segment.ts';
import { seriesStyle } from '../draw/style.ts';
import { type Column, layoutTable } from '../draw/table.ts';
import { visibleText } from '../draw/visible-text.ts';
import { spreadOf } from '../state/config-row.ts';
import type { Model } from '../state/model.ts';
import { parameterText, SEED, splitParameters } from '../state/parameters.ts';
import { type Compared, compared } from './compared.ts';
import { seriesOf } from './curve-panels.ts';
import { metricShown } from './metric-shown.ts';
import { epochAt, epochShown, reconstruction } from './pictures.ts';

const WIDE = 120;
const PLOT_LINES = 12;
const PICTURE_LINES = 8;

/** What is marked, side by side: differing parameters, metrics, a curve each, reconstructions of the same images. */
export function compareView(model: Model, columns: number, lines: number): Line[] {
  const all = compared(model);
  if (all.length === 0) {
    return [line('nothing is marked: Space on the leaderboard marks a config, c comes back here', 'dim')];
  }
  const metric = metricShown(model);
  const series = all.map(
    ({ label, trial }): Series => ({ ...seriesOf(label, model.curveOf(trial.id), metric), name: label.slice(2) }),
  );
  const wide = columns >= WIDE;
  const left = wide ? Math.floor(columns / 2) : columns;
  const table = [...tableOf(all, model, left), EMPTY_LINE];
  const height = wide ? Math.max(PLOT_LINES, Math.floor(lines / 2)) : PLOT_LINES;
  const curves = [...plot(`${metric} (m: the next metric)`, series, left, height), ...legend(series, left), EMPTY_LINE];
  const right = wide ? columns - left - 2 : columns;
  const pictures = picturesOf(all, model, right, wide ? Math.floor(lines / all.length) - 2 : PICTURE_LINES);
  return wide ? sideBySide([[...table, ...curves], pictures], [left, right]) : [...table, ...curves, ...pictures];
}

interface TableRow {
  readonly name: string;
  readonly cells: readonly string[];
}

function tableOf(all: readonly Compared[], model: Model, width: number): Line[] {
  const points = all.map(({ trial, config }) => (config === undefined ? trial : { parameters: trial.parameters }));
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
  const seeds = varying.includes(SEED) ? '' : model.state.varying.includes(SEED) ? ', over seeds where ± stands' : '';
  return [
    line(visibleText(`compared: ${all.length}${seeds}; parameters that differ, then metrics`), 'dim'),
    { segments: header },
    ...rows.map((segments): Line => ({ segments })),
    ...(hidden.length === 0 ? [] : [line(`no room for ${hidden.join(', ')}`, 'dim')]),
  ];
}

function metricText({ trial, config }: Compared, name: string): string {
  if (config === undefined) return formatMetric(trial.metrics[name]);
  const spread = spreadOf(config, name);
  if (spread === undefined) return '-';
  return spread.n === 1 ? formatMetric(spread.mean) : `${formatMetric(spread.mean)} ±${spread.std.toPrecision(2)}`;
}

/** At the epoch that the first shows; of the others their nearest look before it. */
function picturesOf(all: readonly Compared[], model: Model, width: number, lines: number): Line[] {
  const details = all.map(({ trial }) => model.details.get(trial.id));
  const first = details.find((detail) => detail !== undefined && detail.epochs.length > 0);
  const epoch = first && epochShown(first, model.ui.scrub);
  return all.flatMap(({ label }, i): Line[] => {
    const detail = details[i];
    const own = detail === undefined || epoch === undefined ? undefined : epochAt(detail, epoch);
    const room = Math.max(4, lines);
    return [line(visibleText(label), seriesStyle(i)), ...reconstruction(model, detail, own, width, room), EMPTY_LINE];
  });
}
