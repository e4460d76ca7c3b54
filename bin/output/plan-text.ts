import { earlyTerminateText } from '../../coordinator/early-stop/settings-text.ts';
import type { Axis } from '../../coordinator/grid/axes.ts';
import type { Plan } from '../../coordinator/grid/plan.ts';
import { earlierSweepsOf, type SweepSpec } from '../../coordinator/grid/spec.ts';
import { type Distribution, distributionText } from '../../coordinator/search/distribution.ts';
import { samplerText } from '../../coordinator/search/optuna/samplers.ts';
import { formatCount } from '../../lib/text/numbers.ts';
import type { Column } from '../../lib/text/table.ts';
import type { PackedCode } from '../client/code.ts';
import { codeFields } from './code.ts';
import { type HistoryEstimate, type NoEstimate, planEstimateText } from './plan-estimate.ts';
import { renderFields, renderTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** The parts of a plan in addition to the counts. */
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
  const { search, runCap, earlyTerminate, metric } = spec;
  const bound = plan.isBound ? 'at most ' : '';
  const count = (number: number) => `${bound}${formatCount(number)}`;
  const fields: [string, string][] = [['sweep', plan.sweep]];
  fields.push(['method', search?.method ?? 'grid']);
  fields.push(
    ['trials', count(plan.trials)],
    ['configs', search === undefined ? formatCount(plan.configs) : count(plan.configs)],
    ['replicates', replicatesText(plan, spec)],
  );
  if (search === undefined) {
    const merged = plan.duplicates > 0 ? ' (identical after "when"; run once)' : '';
    fields.push(['duplicates', `${formatCount(plan.duplicates)}${merged}`]);
  }
  if (estimate !== undefined)
    fields.push(['estimate', 'reason' in estimate ? `none yet: ${estimate.reason}` : planEstimateText(estimate)]);
  if (search?.method === 'optuna') fields.push(['sampler', samplerText(search)]);
  const warmStart = earlierSweepsOf(search);
  if (warmStart.length > 0) fields.push(['warm_start', warmStart.join(', ')]);
  const isPopulation = earlyTerminate?.type === 'pbt';
  if (runCap !== undefined && !isPopulation) fields.push(['run_cap', formatCount(runCap)]);
  if (metric.target !== undefined) fields.push(['target', `${metric.name} ${metric.target}`]);
  if (earlyTerminate !== undefined)
    fields.push([isPopulation ? 'population' : 'early_terminate', earlyTerminateText(earlyTerminate)]);
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

function replicatesText({ replicates }: Plan, { adaptiveReplicates: limits }: SweepSpec): string {
  return limits === undefined ? formatCount(replicates) : `${limits.min} to ${limits.max}, until decided`;
}

const LISTED_VALUES = 12;

function listText(axis: Axis): string {
  const isLong = axis.size > LISTED_VALUES;
  const shown = Array.from({ length: isLong ? LISTED_VALUES - 1 : axis.size }, (_, index) => `${axis.at(index)}`);
  return [...shown, ...(isLong ? ['...', `${axis.at(axis.size - 1)}`] : [])].join(', ');
}
