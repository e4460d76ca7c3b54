import { ownValue } from '../../lib/domain/own-value.ts';
import { parametersText, parameterText, SEED } from '../../lib/domain/parameters.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatMetric, formatStep } from '../../lib/text/numbers.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { trialStyle } from '../../lib/text/style.ts';
import { type Column, layoutTable } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import type { Attempt, Failure, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { attemptOutcome, trialState } from '../../proto/names.ts';
import { sideBySide, wrapped } from '../draw/layout.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import { legend, plot } from '../draw/plot.ts';
import type { Model } from '../state/model.ts';
import { rankOf } from '../state/order.ts';
import { epochShown, failureLines, markedRows } from '../state/selectors.ts';
import { runtimeMs } from '../state/summary.ts';
import { reconstruction, seriesOf, trialPanels } from './panels.ts';

const WIDE = 120;
const PLOT_LINES = 10;
const MIN_IMAGE_LINES = 10;
const LOG_LINES = 8;

/** Draws a trial: its state, curves, attempts, the end of its log, reconstructions. */
export function trialView(model: Model, trialId: string, columns: number, lines: number): StyledLine[] {
  const trial = model.state.trials.get(trialId);
  if (trial === undefined) return [styledLine('this trial no longer exists', 'yellow')];
  const detail = model.details.get(trialId);
  const wide = columns >= WIDE;
  const left = wide ? Math.floor((columns * 2) / 3) : columns;
  const right = wide ? columns - left - 2 : columns;
  const curves = [
    ...trialPanels(model.curveOf(trialId), model.board.metrics[0]?.name ?? '', left, PLOT_LINES),
    ...overlay(model, trial, left, PLOT_LINES),
  ];
  const log = [
    styledLine('log (l: full log)', 'bold'),
    ...model.log.slice(-LOG_LINES).map((text) => styledLine(text, 'dim')),
    ...(model.log.length === 0 ? [styledLine('no output yet', 'dim')] : []),
  ];
  const side = [...attempts(detail?.answer.attempts ?? [], model.now, right), EMPTY_LINE, ...log];
  const above = [
    ...heading(model, trial, columns),
    ...(wide ? sideBySide([curves, side], [left, right]) : [...curves, EMPTY_LINE, ...side]),
    EMPTY_LINE,
  ];
  const epoch = detail && epochShown(detail, model.ui.epochsBack);
  const height = Math.max(MIN_IMAGE_LINES, lines - above.length);
  return [...above, ...reconstruction(model, detail, epoch, columns, height)];
}

function heading(model: Model, trial: Trial, columns: number): StyledLine[] {
  const { state, now, ui } = model;
  const name = trialState.of(trial.state);
  const epochs = parameterText(trial, 'epochs');
  const facts = [
    `epoch ${formatStep(trial.epoch)}${epochs === '' ? '' : `/${epochs}`}`,
    `attempt ${trial.attempts}`,
    trial.agentId || 'no agent',
    trial.backend,
    formatSpan(runtimeMs(trial, now)),
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
    ...(trial.failure === undefined ? [] : failure(trial.failure, columns)),
    ...wrapped(parametersText(trial, withSeed(state.varying)), columns, 'bold'),
    ...wrapped(parametersText(trial, shared), columns, 'dim'),
    ...metricLines(model, trial, columns),
    EMPTY_LINE,
  ];
}

function failure(failed: Failure, columns: number): StyledLine[] {
  const [first, ...rest] = failureLines(failed);
  return [...wrapped(first, columns, 'yellow'), ...rest.map((text) => styledLine(visibleText(text), 'dim'))];
}

const withSeed = (names: readonly string[]): string[] => [...names.filter((name) => name !== SEED), SEED];

function metricLines({ board }: Model, trial: Trial, columns: number): StyledLine[] {
  const places = board.metrics.map(({ name }, m) => {
    const value = ownValue(trial.metrics, name);
    const order = board.ranked[m];
    return [name, value === undefined || order === undefined ? undefined : rankOf(order, value)] as const;
  });
  const values = Object.keys(trial.metrics)
    .sort()
    .map((name) => {
      const place = places.find(([ranked]) => ranked === name)?.[1];
      return `${name}=${formatMetric(ownValue(trial.metrics, name))}${place === undefined ? '' : ` (rank ${place})`}`;
    });
  return wrapped(values.join('  '), columns, 'bold');
}

function overlay(model: Model, trial: Trial, width: number, height: number): StyledLine[] {
  const metric = model.board.metrics[0]?.name ?? '';
  const others = markedRows(model).filter(({ trial: other }) => other.id !== trial.id);
  if (others.length === 0) return [];
  const series = [
    seriesOf('this trial', model.curveOf(trial.id), metric),
    ...others.map((row) => seriesOf(shortId(row.id), model.curveOf(row.trial.id), metric)),
  ];
  return [EMPTY_LINE, ...plot(`${metric}, with marked rows`, series, width, height), ...legend(series, width)];
}

function attempts(all: readonly Attempt[], now: number, width: number): StyledLine[] {
  const columns: Column<Attempt>[] = [
    { header: 'attempt', numeric: true, cell: ({ number }) => String(number) },
    {
      header: 'outcome',
      cell: ({ outcome }) => (outcome === 'ATTEMPT_OUTCOME_UNSPECIFIED' ? 'running' : attemptOutcome.of(outcome)),
    },
    {
      header: 'time',
      numeric: true,
      cell: ({ grantedAtMs, endedAtMs }) => formatSpan((endedAtMs || now) - grantedAtMs),
    },
    { header: 'agent', cell: ({ agentId, slot }) => `${agentId}/${slot}` },
    ...(all.some((attempt) => detailsOf(attempt) !== '') ? [{ header: 'details', cell: detailsOf }] : []),
  ];
  if (all.length === 0) return [styledLine('no attempt yet', 'dim')];
  const { header, rows } = layoutTable(columns, all, width);
  return [{ segments: header }, ...rows.map((segments: readonly Segment[]): StyledLine => ({ segments }))];
}

const detailsOf = ({ failure, resumedFrom, speculative }: Attempt): string =>
  [
    ...(speculative ? ['speculative'] : []),
    ...(failure === undefined ? [] : [failureLines(failure)[0]]),
    ...(resumedFrom > 0 ? [`resumed after epoch ${formatStep(resumedFrom)}`] : []),
  ].join('; ');
