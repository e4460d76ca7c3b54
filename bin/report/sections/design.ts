import type { Axis } from '../../../coordinator/grid/axes.ts';
import { ruleText } from '../../../coordinator/grid/points.ts';
import type { Search, SweepSpec } from '../../../coordinator/grid/spec.ts';
import { distributionText } from '../../../coordinator/search/distribution.ts';
import { countText, formatCount } from '../../../lib/text/numbers.ts';
import { trainerSpec } from '../../../proto/trainers.ts';
import { populationText } from '../../output/plan-text.ts';
import type { ReportData } from '../data.ts';
import type { ReportBlock, Section } from '../document.ts';
import { MAX_VALUES_LISTED } from '../limits.ts';
import { valueText } from '../parameter-levels.ts';
import { assignmentsText, objectiveGoal, objectiveOf, type VariedParameters } from '../trial-results.ts';

/** Returns the section with the trainer, the axes and the rules of the sweep. */
export function designSection(data: ReportData, space: VariedParameters): Section {
  const { spec, plan } = data;
  const excluded = plan.excluded.reduce((sum, { count }) => sum + count, 0);
  const dropped = [
    ...(excluded > 0 ? [`${countText(excluded, 'point')} excluded`] : []),
    ...(plan.duplicates > 0
      ? [`${formatCount(plan.duplicates)} identical to another point after "when", and run only once`]
      : []),
  ];
  const about = trainerSpec(spec.trainer)?.about;
  const fixed = assignmentsText(space.fixed, Object.keys(space.fixed));
  const facts: [string, string][] = [
    ['trainer', about === undefined ? spec.trainer : `${spec.trainer}: ${about}`],
    ['objective', `${objectiveOf(data)}, to ${objectiveGoal(data)}`],
    ['trials', trialsText(data)],
    ['seeds', seedsText(spec)],
    ...(dropped.length === 0 ? [] : [['omitted', dropped.join('; ')] as [string, string]]),
    ...(fixed === '' ? [] : [['fixed parameters', fixed] as [string, string]]),
  ];
  const blocks: ReportBlock[] = [{ kind: 'facts', rows: facts }, spaceTable(spec)];
  const rules = rulesTable(data);
  if (rules !== undefined) blocks.push(rules);
  return { id: 'design', title: 'Design', blocks };
}

function trialsText({ spec, plan }: ReportData): string {
  const { adaptiveReplicates: limits } = spec;
  const population = populationText(spec);
  if (population !== undefined) return population;
  const count = `${plan.isBound ? 'at most ' : ''}${formatCount(plan.trials)}`;
  const replicates =
    limits === undefined ? countText(plan.replicates, 'replicate') : `${limits.min} to ${limits.max} replicates`;
  return `${count} = ${countText(plan.configs, 'config')} × ${replicates}`;
}

function seedsText({ seeds, adaptiveReplicates: limits, earlyTerminate }: SweepSpec): string {
  if (earlyTerminate?.type === 'pbt') return 'each trial has its own seed';
  const list = listed(seeds.map(String));
  return limits === undefined
    ? list
    : `${list} (each config runs with at least the first ${limits.min} of these seeds, and at most ${limits.max})`;
}

function spaceTable({ axes, search }: SweepSpec): ReportBlock {
  return search === undefined ? axesTable(axes.filter(({ size }) => size > 1)) : distributionsTable(search);
}

function distributionsTable({ method, space }: Search): ReportBlock {
  return {
    kind: 'table',
    table: {
      caption: `Space of the ${method} search`,
      columns: [
        { header: 'parameter', numeric: false },
        { header: 'distribution', numeric: false },
      ],
      rows: Array.from(space, ([name, distribution]) => [name, distributionText(distribution)]),
    },
  };
}

function axesTable(axes: readonly Axis[]): ReportBlock {
  if (axes.length === 0) return { kind: 'text', text: 'No parameter varies.' };
  return {
    kind: 'table',
    table: {
      caption: 'Axes',
      columns: [
        { header: 'axis', numeric: false },
        { header: 'count', numeric: true },
        { header: 'values', numeric: false },
      ],
      rows: axes.map((axis) => [axis.name, formatCount(axis.size), axisValues(axis)]),
    },
  };
}

function axisValues({ size, at }: Axis): string {
  if (size <= MAX_VALUES_LISTED) return Array.from({ length: size }, (_, i) => valueText(at(i))).join(', ');
  const first = Array.from({ length: MAX_VALUES_LISTED - 1 }, (_, i) => valueText(at(i)));
  return `${first.join(', ')}, ... ${valueText(at(size - 1))}`;
}

function listed(values: readonly string[]): string {
  if (values.length <= MAX_VALUES_LISTED) return values.join(', ');
  return `${values.slice(0, MAX_VALUES_LISTED - 1).join(', ')}, ... ${values.at(-1)}`;
}

function rulesTable({ spec, plan }: ReportData): ReportBlock | undefined {
  const rows = [
    ...spec.zip.map((names) => ['zip', names.join(', '), 'advance together']),
    ...plan.excluded.map(({ rule, count }) => ['exclude', rule, `${countText(count, 'point')} dropped`]),
    ...spec.when.map(({ conditions, set }) => [
      'when',
      ruleText(conditions),
      `sets ${Object.entries(set)
        .map(([name, value]) => `${name}=${valueText(value)}`)
        .join(', ')}`,
    ]),
  ];
  if (rows.length === 0) return undefined;
  const columns = ['rule', 'condition', 'effect'].map((header) => ({ header, numeric: false }));
  return { kind: 'table', table: { caption: 'Rules', columns, rows } };
}
