import { shownRungs } from '../../coordinator/early-stop/effect.ts';
import { populationSize } from '../../coordinator/early-stop/population.ts';
import type { EarlyTerminate } from '../../coordinator/early-stop/settings.ts';
import { earlyTerminateText } from '../../coordinator/early-stop/settings-text.ts';
import type { Axis } from '../../coordinator/grid/axes.ts';
import { longestTraining } from '../../coordinator/grid/longest-training.ts';
import type { Plan } from '../../coordinator/grid/plan.ts';
import { earlierSweepsOf, type SweepSpec, trialLimit } from '../../coordinator/grid/spec.ts';
import { type Distribution, distributionText } from '../../coordinator/search/distribution.ts';
import { samplerText } from '../../coordinator/search/optuna/samplers.ts';
import { countText, formatCount } from '../../lib/text/numbers.ts';
import type { Column } from '../../lib/text/table.ts';
import type { PackedCode } from '../client/code.ts';
import { codeFields } from './code.ts';
import { type HistoryEstimate, type NoEstimate, planEstimateText } from './plan-estimate.ts';
import { renderFields, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** The facts that the text of a plan shows in addition to the counts and the settings. */
export interface PlanFacts {
  readonly code: PackedCode | undefined;
  readonly warnings: readonly string[];
  readonly estimate: HistoryEstimate | NoEstimate | undefined;
}

/** Returns the text that `trawl plan` prints, and that `trawl up` shows until the sweep runs. */
export function planText(
  plan: Plan,
  spec: SweepSpec,
  { code, warnings, estimate }: PlanFacts,
  terminal: Terminal,
): string {
  const axes: Column<Axis>[] = [
    { header: 'axis', elide: 'middle', cell: ({ name }) => name },
    { header: 'values', numeric: true, cell: ({ size }) => formatCount(size) },
    { header: 'list', cell: listText },
  ];
  const space: Column<[string, Distribution]>[] = [
    { header: 'parameter', elide: 'middle', cell: ([name]) => name },
    { header: 'distribution', cell: ([, distribution]) => distributionText(distribution) },
  ];
  const excluded: Column<Plan['excluded'][number]>[] = [
    { header: 'excluded', numeric: true, cell: ({ count }) => formatCount(count) },
    { header: 'rule', cell: ({ rule }) => rule },
  ];
  const { search, earlyTerminate, metric } = spec;
  const last = longestTraining(spec, search?.space ?? new Map());
  const population = populationText(spec);
  const count = (number: number) => `${plan.isBound ? 'at most ' : ''}${formatCount(number)}`;
  const fields: [string, string][] = [['sweep', plan.sweep], ['method', methodText(spec)], metricField(spec)];
  if (metric.target !== undefined) fields.push(['target', `${metric.name} ${metric.target}`]);
  if (population !== undefined) {
    fields.push(['trials', population]);
  } else {
    fields.push(
      ['trials', count(plan.trials)],
      ['configs', search === undefined ? formatCount(plan.configs) : count(plan.configs)],
      ['replicates', replicatesText(plan, spec)],
    );
  }
  if (search === undefined) {
    const merged = plan.duplicates > 0 ? ' (identical after "when"; run once)' : '';
    fields.push(['duplicates', `${formatCount(plan.duplicates)}${merged}`]);
  }
  if (estimate !== undefined)
    fields.push(['estimate', 'reason' in estimate ? `none yet: ${estimate.reason}` : planEstimateText(estimate)]);
  if (search?.method === 'optuna') fields.push(['sampler', samplerText(search)]);
  const warmStart = earlierSweepsOf(search);
  if (warmStart.length > 0) fields.push(['warm_start', warmStart.join(', ')]);
  fields.push(...runCapFields(spec));
  if (earlyTerminate !== undefined)
    fields.push([population !== undefined ? 'population' : 'early_terminate', earlyTerminateText(earlyTerminate)]);
  fields.push(...rungFields(earlyTerminate, last));
  if (spec.speculate) fields.push(['speculate', 'an idle slot runs a straggler a second time']);
  if (spec.ignored.length > 0) fields.push(['ignored', spec.ignored.join(', ')]);
  for (const text of spec.notes) fields.push(['note', text]);
  for (const warning of warnings) fields.push(['warning', warning]);
  if (code !== undefined) fields.push(...codeFields(code));
  const tables = [
    search === undefined ? renderTable(axes, spec.axes, terminal) : renderTable(space, [...search.space], terminal),
    ...(plan.excluded.length > 0 ? [renderTable(excluded, plan.excluded, terminal)] : []),
  ];
  return [renderFields(fields, terminal), ...tables].join('\n');
}

/** Returns the method with its settings, such as `random, seed 0`. */
function methodText({ search, order }: SweepSpec): string {
  if (search === undefined) return order.kind === 'shuffled' ? `grid, shuffled with seed ${order.seed}` : 'grid';
  return search.method === 'sobol' ? 'sobol' : `${search.method}, seed ${search.seed}`;
}

function metricField({ metric, objectives }: SweepSpec): [string, string] {
  if (objectives.length > 0) return ['metrics', objectives.map(({ name, goal }) => `${goal} ${name}`).join(', ')];
  if (metric.name === '') return ['metric', 'the first metric that appears in two reports of a trial'];
  return ['metric', `${metric.goal} ${metric.name}, ${metric.at} value of each trial`];
}

/**
 * Returns the number of trials of a population, such as `at most 7: 4 members, and up to 1 child after each of 3
 * comparisons`. Undefined for other sweeps.
 */
export function populationText(spec: SweepSpec): string | undefined {
  const { search, earlyTerminate } = spec;
  if (earlyTerminate?.type !== 'pbt') return undefined;
  const last = longestTraining(spec, search?.space ?? new Map());
  const { members, childrenPerComparison, comparisons, maxTrials } = populationSize(earlyTerminate, last);
  const each = comparisons === undefined ? 'each comparison' : `each of ${countText(comparisons, 'comparison')}`;
  const children = childrenPerComparison === 1 ? '1 child' : `${formatCount(childrenPerComparison)} children`;
  const parts = `${formatCount(members)} members, and up to ${children} after ${each}`;
  return maxTrials === undefined ? parts : `at most ${formatCount(maxTrials)}: ${parts}`;
}

function runCapFields(spec: SweepSpec): [string, string][] {
  const { runCap, search, earlyTerminate } = spec;
  if (earlyTerminate?.type === 'pbt') {
    return earlyTerminate.maxTrials === undefined ? [] : [['run_cap', formatCount(earlyTerminate.maxTrials)]];
  }
  if (runCap !== undefined) return [['run_cap', formatCount(runCap)]];
  return search === undefined ? [] : [['run_cap', `${formatCount(trialLimit(spec))} (default)`]];
}

function rungFields(settings: EarlyTerminate | undefined, last: number | undefined): [string, string][] {
  const rungs = settings === undefined ? [] : shownRungs(settings, last);
  if (rungs.length === 0) return [];
  const unit = settings?.type === 'hyperband' ? 'values of the metric' : 'steps';
  return [
    [
      'rungs',
      `${listText({ size: rungs.length, at: (index) => rungs[index] ?? 0 })}${last === undefined ? ', ...' : ''} (${unit})`,
    ],
  ];
}

function replicatesText({ replicates }: Plan, { adaptiveReplicates: limits }: SweepSpec): string {
  return limits === undefined ? formatCount(replicates) : `${limits.min} to ${limits.max}, until decided`;
}

const LISTED_VALUES = 12;

function listText({ size, at }: Pick<Axis, 'size' | 'at'>): string {
  const isLong = size > LISTED_VALUES;
  const shown = Array.from({ length: isLong ? LISTED_VALUES - 1 : size }, (_, index) => `${at(index)}`);
  return [...shown, ...(isLong ? ['...', `${at(size - 1)}`] : [])].join(', ');
}
