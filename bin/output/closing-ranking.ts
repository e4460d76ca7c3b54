import { configsOf, rankConfigs, rankConfigsByObjectives } from '../../lib/domain/configs.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { splitParameters } from '../../lib/domain/parameters.ts';
import {
  objectivesOf,
  type RankedMetric,
  rankedMetrics,
  rankTrials,
  rankTrialsByObjectives,
} from '../../lib/domain/ranking.ts';
import { leftOutOfMeansText } from '../../lib/domain/trial-result.ts';
import { sweepEnded } from '../../lib/domain/trial-state.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import { parameterColumns } from '../../lib/text/parameter-columns.ts';
import { shortId } from '../../lib/text/short-id.ts';
import { type Column, required } from '../../lib/text/table.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { type Config, MetricAt, type Sweep, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { trialState } from '../../proto/names.ts';
import { spreadText } from './format.ts';
import { replicatesText } from './ranking-tables.ts';
import { renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

const CLOSING_TOP = 10;

/** The metric or the objectives that order a ranking, and the further metrics that the ranking shows. */
interface RankedBy {
  readonly metric: RankedMetric;
  readonly others: readonly string[];
  /** Empty if a single metric ranks the rows. */
  readonly objectives: readonly RankedMetric[];
}

function ranking(sweep: Sweep, trials: readonly Trial[], by: RankedBy, terminal: Terminal): string {
  const { metric, others, objectives } = by;
  const all =
    objectives.length > 0 ? rankTrialsByObjectives(trials, objectives) : rankTrials(trials, metric.name, metric.goal);
  const ranked = all.filter(({ rank }) => rank > 0);
  if (ranked.length === 0) return withoutValues(by, sweep);
  const numeric = (header: string, cell: (trial: Trial) => string): Column<Trial> => ({ header, numeric: true, cell });
  const { own, determined } = parameterColumns(trials, splitParameters(trials).varying);
  const table = renderTable<Trial>(
    [
      numeric('rank', ({ rank }) => String(rank)),
      ...(objectives.length > 0 ? [numeric('front', ({ front }) => String(front ?? '-'))] : []),
      { header: 'trial', neverCut: true, required: true, cell: (trial) => shortId(trial.id) },
      // Until the sweep has ended, the table shows the states, because the value of a running trial is provisional.
      ...(sweepEnded(sweep) ? [] : [{ header: 'state', neverCut: true, required: true, cell: stateText }]),
      ...own,
      required(numeric(metric.name, (trial) => formatMetric(ownValue(trial.metrics, metric.name)))),
      ...others.map((name) => numeric(name, (trial) => formatMetric(ownValue(trial.metrics, name)))),
      ...determined,
    ],
    ranked.slice(0, CLOSING_TOP),
    terminal,
  );
  return `${heading(by, sweep, ranked.length)}:\n${table}`;
}

function configRanking(sweep: Sweep, configs: readonly Config[], by: RankedBy, terminal: Terminal): string {
  const { metric, others, objectives } = by;
  const all =
    objectives.length > 0
      ? rankConfigsByObjectives(configs, objectives)
      : rankConfigs(configs, metric.name, metric.goal);
  const ranked = all.filter(({ rank }) => rank > 0);
  if (ranked.length === 0) return withoutValues(by, sweep);
  const numeric = (header: string, cell: (config: Config) => string): Column<Config> => ({
    header,
    numeric: true,
    cell,
  });
  const { own, determined } = parameterColumns(configs, splitParameters(configs).varying);
  const table = renderTable<Config>(
    [
      numeric('rank', ({ rank }) => String(rank)),
      ...(objectives.length > 0 ? [numeric('front', ({ front }) => String(front ?? '-'))] : []),
      { header: 'config', neverCut: true, required: true, cell: ({ id }) => shortId(id) },
      ...own,
      required(numeric(metric.name, ({ metrics }) => spreadText(ownValue(metrics, metric.name)))),
      ...others.map((name) => numeric(name, ({ metrics }) => spreadText(ownValue(metrics, name)))),
      { header: 'replicates', cell: replicatesText },
      ...determined,
    ],
    ranked.slice(0, CLOSING_TOP),
    terminal,
  );
  const leftOut = leftOutOfMeansText(ranked.slice(0, CLOSING_TOP));
  const below = leftOut === '' ? '' : `${leftOut}\n`;
  return `${heading(by, sweep, ranked.length)}, mean ± standard deviation over seeds:\n${table}${below}`;
}

const stateText = ({ state }: Trial): string => trialState.of(state);

/**
 * Returns a line with the best single trial of a sweep that has not ended, because a ranking of configs does not show
 * single trials. Empty for an ended sweep, and if no trial has a value.
 */
function bestTrialSoFar(sweep: Sweep, trials: readonly Trial[], { name, goal }: RankedMetric): string {
  const [best] = rankTrials(trials, name, goal);
  if (sweepEnded(sweep) || best === undefined || best.rank === 0) return '';
  const value = formatMetric(ownValue(best.metrics, name));
  return `Best trial so far: ${shortId(best.id)} (${stateText(best)}, seed ${best.seed}), ${visibleText(name)} ${value}\n`;
}

function withoutValues({ metric: { name }, objectives }: RankedBy, sweep: Sweep): string {
  const yet = sweepEnded(sweep) ? '' : ' yet';
  if (objectives.length > 0) return `No trial reported all of ${visibleText(namesOf(objectives))}${yet}.\n`;
  return name === '' ? `No trial reported a metric${yet}.\n` : `By ${visibleText(name)}: no trial reported it${yet}.\n`;
}

const namesOf = (objectives: readonly RankedMetric[]): string => objectives.map(({ name }) => name).join(', ');

function heading({ metric: { name, goal }, objectives }: RankedBy, sweep: Sweep, count: number): string {
  const best = sweep.metric?.name === name && sweep.metric.at === MetricAt.BEST ? ' (best over the steps)' : '';
  const soFar = sweepEnded(sweep) ? '' : ' so far';
  const more = count > CLOSING_TOP ? ` (top ${CLOSING_TOP} of ${count})` : '';
  if (objectives.length > 0) {
    return `By Pareto front of ${visibleText(namesOf(objectives))}${soFar}, then by hypervolume contribution${more}`;
  }
  return `By ${visibleText(name)}${best}${soFar}, ${goal === 'minimize' ? 'lowest first' : 'highest first'}${more}`;
}

/**
 * Renders the rankings that `trawl up` prints when it exits. A sweep with several objectives has one ranking, by all
 * objectives. Any other sweep has a ranking by its metric and, if trials report PSNR, a ranking by PSNR. Headings
 * contain "so far" while the sweep has not ended.
 */
export function closingRanking(sweep: Sweep, trials: readonly Trial[], terminal: Terminal): string {
  const metrics = rankedMetrics(sweep, [...new Set(trials.flatMap((trial) => Object.keys(trial.metrics)))]);
  const configs = sweep.replicates > 1 ? configsOf(trials) : undefined;
  const objectives = objectivesOf(sweep);
  return (objectives.length > 0 ? metrics.slice(0, 1) : metrics)
    .map((metric) => {
      const others = metrics.filter((other) => other !== metric).map((other) => other.name);
      const by = { metric, others, objectives };
      if (configs === undefined) return ranking(sweep, trials, by, terminal);
      const best = objectives.length > 0 ? '' : bestTrialSoFar(sweep, trials, metric);
      return configRanking(sweep, configs, by, terminal) + best;
    })
    .join('\n');
}
