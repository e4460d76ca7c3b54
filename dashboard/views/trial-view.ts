import { parametersText, parameterText, SEED } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { EMPTY_LINE, line, type Segment, type StyledLine } from '../../lib/text/segment.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Attempt, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { attemptOutcome, failureClass, trialState } from '../../proto/names.ts';
import { sideBySide, wrapped } from '../draw/layout.ts';
import { legend, plot } from '../draw/plot.ts';
import type { Model } from '../state/model.ts';
import { placeOf } from '../state/order.ts';
import { tookMs } from '../state/summary.ts';
import { markedRows } from './compare-view.ts';
import { epochShown, reconstruction, seriesOf, trialPanels } from './panels.ts';

const WIDE = 120;
const PLOT_LINES = 10;
const PICTURE_LINES = 10;
const LOG_LINES = 8;

/** A trial: how it stands, its curves, attempts, reconstructions and the end of its log. */
export function trialView(model: Model, trialId: string, columns: number, lines: number): StyledLine[] {
  const trial = model.state.trials.get(trialId);
  if (trial === undefined) return [line('this trial is not known any more', 'yellow')];
  const detail = model.details.get(trialId);
  const wide = columns >= WIDE;
  const left = wide ? Math.floor((columns * 2) / 3) : columns;
  const right = wide ? columns - left - 2 : columns;
  const curves = [
    ...trialPanels(model.curveOf(trialId), model.board.metrics[0]?.name ?? '', left, PLOT_LINES),
    ...overlay(model, trial, left, PLOT_LINES),
  ];
  const log = [
    line('log (l: all of it)', 'bold'),
    ...model.log.slice(-LOG_LINES).map((text) => line(text, 'dim')),
    ...(model.log.length === 0 ? [line('nothing was written', 'dim')] : []),
  ];
  const told = [...attempts(detail?.answer.attempts ?? [], model.now, right), EMPTY_LINE, ...log];
  const above = [
    ...heading(model, trial, columns),
    ...(wide ? sideBySide([curves, told], [left, right]) : [...curves, EMPTY_LINE, ...told]),
    EMPTY_LINE,
  ];
  // Pictures get the whole width, and what height is left: they are the finer for it.
  const epoch = detail && epochShown(detail, model.ui.epochsBack);
  const height = Math.max(PICTURE_LINES, lines - above.length);
  return [...above, ...reconstruction(model, detail, epoch, columns, height)];
}

function heading(model: Model, trial: Trial, columns: number): StyledLine[] {
  const { state, now, ui } = model;
  const name = trialState.of(trial.state);
  const epochs = parameterText(trial, 'epochs');
  const facts = [
    `epoch ${trial.epoch}${epochs === '' ? '' : `/${epochs}`}`,
    `attempt ${trial.attempts}`,
    trial.agentId || 'no agent',
    trial.backend,
    formatSpan(tookMs(trial, now)),
  ];
  const marked = ui.marks.has(trial.id) || ui.marks.has(trial.configId);
  const shared = Object.keys(trial.parameters)
    .filter((parameter) => !state.varying.includes(parameter))
    .sort();
  return [
    {
      segments: [
        { text: `trial ${shortId(trial.id)}`, style: 'bold' },
        { text: marked ? ' ●' : '', style: 'magenta' },
        { text: `  ${name}`, style: trialStyle(name) },
        { text: `  ${visibleText(facts.filter(Boolean).join(' · '))}` },
      ],
    },
    ...(trial.failure === undefined
      ? []
      : [line(visibleText(`${failureClass.of(trial.failure.class)}: ${trial.failure.message}`), 'yellow')]),
    ...wrapped(parametersText(trial, withSeed(state.varying)), columns, 'bold'),
    ...wrapped(parametersText(trial, shared), columns, 'dim'),
    ...standing(model, trial, columns),
    EMPTY_LINE,
  ];
}

const withSeed = (names: readonly string[]): string[] => [...names.filter((name) => name !== SEED), SEED];

/** Every metric, with the config's place where it has one. */
function standing({ board }: Model, trial: Trial, columns: number): StyledLine[] {
  const places = board.metrics.map(({ name }, m) => {
    const value = trial.metrics[name];
    const order = board.ranked[m];
    return [name, value === undefined || order === undefined ? undefined : placeOf(order, value)] as const;
  });
  const values = Object.keys(trial.metrics)
    .sort()
    .map((name) => {
      const place = places.find(([ranked]) => ranked === name)?.[1];
      return `${name}=${formatMetric(trial.metrics[name])}${place === undefined ? '' : `(#${place})`}`;
    });
  return wrapped(values.join(' '), columns, 'bold');
}

/** The own metric over those of what is marked. */
function overlay(model: Model, trial: Trial, width: number, height: number): StyledLine[] {
  const metric = model.board.metrics[0]?.name ?? '';
  const others = markedRows(model).filter(({ trial: other }) => other.id !== trial.id);
  if (others.length === 0) return [];
  const series = [{ label: 'this', trial }, ...others].map(({ label, trial: { id } }, s) =>
    seriesOf(s === 0 ? label : label.slice(2), model.curveOf(id), metric),
  );
  return [EMPTY_LINE, ...plot(`${metric}, over what is marked`, series, width, height), ...legend(series, width)];
}

function attempts(all: readonly Attempt[], now: number, width: number): StyledLine[] {
  const columns: Column<Attempt>[] = [
    { header: 'attempt', numeric: true, cell: ({ number }) => String(number) },
    {
      header: 'outcome',
      cell: ({ outcome }) => (outcome === 'ATTEMPT_OUTCOME_UNSPECIFIED' ? 'running' : attemptOutcome.of(outcome)),
    },
    {
      header: 'took',
      numeric: true,
      cell: ({ grantedAtMs, endedAtMs }) => formatSpan((endedAtMs || now) - grantedAtMs),
    },
    { header: 'agent', cell: ({ agentId, slot }) => `${agentId}/${slot}` },
    ...(all.some((attempt) => endingOf(attempt) !== '') ? [{ header: 'how it ended', cell: endingOf }] : []),
  ];
  if (all.length === 0) return [line('no attempt yet', 'dim')];
  const { header, rows } = layoutTable(columns, all, width);
  return [{ segments: header }, ...rows.map((segments: readonly Segment[]): StyledLine => ({ segments }))];
}

const endingOf = ({ failure, resumedFrom }: Attempt): string =>
  [
    ...(failure === undefined ? [] : [`${failureClass.of(failure.class)}: ${failure.message}`]),
    ...(resumedFrom > 0 ? [`went on after epoch ${resumedFrom}`] : []),
  ].join('; ');
