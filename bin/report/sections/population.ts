import { max } from 'd3-array';
import { ancestryOf, type Life, type Member, membersOf } from '../../../lib/domain/lineage.ts';
import { ownValue } from '../../../lib/domain/own-value.ts';
import { fromWire } from '../../../lib/domain/parameters.ts';
import { bestReplicate, trialValue } from '../../../lib/domain/trial-result.ts';
import { countText, formatCount, formatMetric, formatStep } from '../../../lib/text/numbers.ts';
import { shortId } from '../../../lib/text/short-id.ts';
import type { Trial } from '../../../proto/gen/trawl/v1/types.ts';
import {
  type LineageLine,
  type LineageRow,
  type LineageStep,
  lineageChart,
  scheduleChart,
} from '../charts/lineage-chart.ts';
import { valueScale } from '../charts/plot-area.ts';
import type { ReportData } from '../data.ts';
import type { Figure, ReportBlock, ReportTable, Section } from '../document.ts';
import { MAX_LINEAGE_TRIALS, MAX_MEMBERS_DRAWN, MAX_PANELS } from '../limits.ts';
import { valueText } from '../parameter-levels.ts';
import { objectiveGoal, objectiveOf } from '../trial-results.ts';

/** Returns the section with the lineage of a population. Undefined for other sweeps, and until a trial has reported. */
export function populationSection(data: ReportData): Section | undefined {
  const { earlyTerminate: settings } = data.spec;
  const { trials } = data;
  if (settings?.type !== 'pbt') return undefined;
  const last = max(trials, ({ epoch }) => epoch) ?? 0;
  if (last === 0) return undefined;
  const explored = settings.explore.map(([name]) => name);
  const lineage = lineageOf(data, settings.interval);
  const { members, shown } = lineage;
  const children = trials.filter(({ origin }) => origin !== undefined).length;
  const replaced =
    children === 1
      ? '1 child has replaced another member'
      : `${formatCount(children)} children have replaced other members`;
  const every = settings.interval === 1 ? 'epoch' : `${settings.interval} epochs`;
  const blocks: ReportBlock[] = [
    {
      kind: 'text',
      text: `The ${countText(members.length, 'member')} of the population are compared after every ${every}. ${replaced}.`,
    },
    { kind: 'figure', figure: lineageFigure(data, lineage, explored, last) },
    ...scheduleFigures(lineage, explored, last),
  ];
  const left = [
    ...(shown.length < members.length ? [`the best ${shown.length} of ${countText(members.length, 'member')}`] : []),
    ...(trials.length > MAX_LINEAGE_TRIALS ? [`${MAX_LINEAGE_TRIALS} of ${trials.length} trials in the table`] : []),
  ];
  if (left.length > 0) blocks.push({ kind: 'note', text: `Shown: ${left.join('; ')}.` });
  return { id: 'population', title: 'Population', blocks };
}

interface Lineage {
  readonly members: readonly Member<Trial>[];
  /** The indexes of the drawn members, in the order of the members. */
  readonly shown: readonly number[];
  readonly lives: readonly Life<Trial>[];
  readonly stepsOf: (life: Life<Trial>) => LineageStep[];
  readonly memberOf: ReadonlyMap<string, number>;
  readonly trialOf: ReadonlyMap<string, Trial>;
}

function lineageOf(data: ReportData, interval: number): Lineage {
  const members = membersOf(data.trials);
  const lives = members.flat();
  const memberOf = new Map(members.flatMap((of, member) => of.map(({ trial }) => [trial.id, member] as const)));
  const metric = objectiveOf(data);
  const sign = objectiveGoal(data) === 'minimize' ? 1 : -1;
  const costs = members.map((of) => {
    const trial = of.at(-1)?.trial;
    const value = trial && trialValue(trial, metric);
    return value === undefined ? Number.MAX_VALUE : sign * value;
  });
  const byCost = members.map((_, member) => member).sort((a, b) => (costs[a] ?? 0) - (costs[b] ?? 0) || a - b);
  const valueAt = valuesByEpoch(data);
  const untilBest = ancestryOf(data.trials, bestOf(data));
  const stepsOf = ({ trial, from, to }: Life<Trial>): LineageStep[] => {
    const ends = [];
    for (let end = (Math.floor(from / interval) + 1) * interval; end < to; end += interval) ends.push(end);
    return [...ends, to].map((end, at, all) => ({
      from: all[at - 1] ?? from,
      to: end,
      quality: valueAt(trial.id, end),
      isBest: end <= (untilBest.get(trial.id) ?? -1),
    }));
  };
  return {
    members,
    shown: byCost.slice(0, MAX_MEMBERS_DRAWN).sort((a, b) => a - b),
    lives,
    stepsOf,
    memberOf,
    trialOf: new Map(data.trials.map((trial) => [trial.id, trial])),
  };
}

/**
 * Returns a function that ranks a trial among all trials with a value at the same epoch: from 0 (worst) to 1 (best).
 */
function valuesByEpoch(data: ReportData): (id: string, epoch: number) => number | undefined {
  const metric = objectiveOf(data);
  const sign = objectiveGoal(data) === 'minimize' ? 1 : -1;
  const byEpoch = new Map<number, Map<string, number>>();
  for (const [id, reports] of data.curves) {
    for (const { epoch, metrics } of reports) {
      const value = ownValue(metrics, metric);
      if (value === undefined || !Number.isFinite(value)) continue;
      const values = byEpoch.get(epoch) ?? new Map<string, number>();
      byEpoch.set(epoch, values.set(id, sign * value));
    }
  }
  return (id, epoch) => {
    const values = byEpoch.get(epoch);
    const value = values?.get(id);
    if (values === undefined || value === undefined) return undefined;
    const worse = [...values.values()].filter((other) => other > value).length;
    return values.size === 1 ? 1 : worse / (values.size - 1);
  };
}

function bestOf(data: ReportData): Trial | undefined {
  const [first, ...others] = data.trials;
  return first && bestReplicate([first, ...others], objectiveOf(data), objectiveGoal(data));
}

function linesOf({ lives, shown, memberOf, trialOf, stepsOf }: Lineage, parameter?: string): LineageLine[] {
  const rows = new Map(shown.map((member, row) => [member, row]));
  const placeOf = (trial: Trial) => ({
    row: rows.get(memberOf.get(trial.id) ?? -1),
    value: parameter === undefined ? undefined : numberOf(trial, parameter),
  });
  return lives.flatMap((life) => {
    const place = placeOf(life.trial);
    if (place.row === undefined) return [];
    const parent = trialOf.get(life.trial.origin?.parent ?? '');
    const from = parent && placeOf(parent);
    return [{ ...place, steps: stepsOf(life), parent: from?.row === undefined ? undefined : from }];
  });
}

function numberOf(trial: Trial, parameter: string): number | undefined {
  const value = ownValue(fromWire(trial.parameters), parameter);
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

function lineageFigure(data: ReportData, lineage: Lineage, explored: readonly string[], last: number): Figure {
  const metric = objectiveOf(data);
  const { members, shown } = lineage;
  const rows = shown.map((member): LineageRow => {
    const trial = members[member]?.at(-1)?.trial;
    const value = trial && ownValue(trial.metrics, metric);
    return { member: String(member), label: `${formatMetric(value)}  ${trial === undefined ? '' : shortId(trial.id)}` };
  });
  const children = lineage.lives.filter(({ parent }) => parent !== undefined).length;
  return {
    title: 'Lineage',
    caption:
      'One line per member over the epochs. A branch leads from a parent to its child, which replaces the trial of another member. ' +
      `The stronger a line at an epoch, the better the rank of the trial by ${metric} at this epoch. The best trial and its ancestors have another color.`,
    legend: [],
    panels: [
      {
        title: '',
        alt: `The lineage of ${countText(members.length, 'member')} with ${children} branches up to epoch ${formatStep(last)}.`,
        drawing: lineageChart(linesOf(lineage), rows, last, `${metric}, last trial`),
      },
    ],
    scrolls: true,
    table: lineageTable(data, lineage, explored),
  };
}

/**
 * Returns a list with one figure. The figure has a panel for each of the first MAX_PANELS explored parameters that has
 * numeric values. The list is empty if none of them has numeric values.
 */
function scheduleFigures(lineage: Lineage, explored: readonly string[], last: number): ReportBlock[] {
  const panels = explored.slice(0, MAX_PANELS).flatMap((name) => {
    const lines = linesOf(lineage, name);
    const values = lines.flatMap(({ value }) => value ?? []);
    if (values.length === 0) return [];
    const alt = `${name} of ${countText(values.length, 'trial')} over the epochs.`;
    return [{ title: '', alt, drawing: scheduleChart(lines, last, valueScale(values), name) }];
  });
  if (panels.length === 0) return [];
  const caption =
    'One line per trial, at the value of its parameter, in the same colors as in the chart of the lineage. A branch leads from the value of the parent to the value of the child.';
  return [
    {
      kind: 'figure',
      figure: { title: 'Parameters over the epochs', caption, legend: [], panels, scrolls: false, table: undefined },
    },
  ];
}

function lineageTable(data: ReportData, { lives, memberOf }: Lineage, explored: readonly string[]): ReportTable {
  const metric = objectiveOf(data);
  const byIndex = lives.toSorted((a, b) => a.trial.index - b.trial.index).slice(0, MAX_LINEAGE_TRIALS);
  return {
    caption: 'Trials of the population',
    columns: [
      { header: 'trial', numeric: false },
      { header: 'member', numeric: true },
      { header: 'parent', numeric: false },
      { header: 'from epoch', numeric: true },
      { header: 'to epoch', numeric: true },
      ...explored.map((header) => ({ header, numeric: true })),
      { header: metric, numeric: true },
    ],
    rows: byIndex.map(({ trial, from, to }) => {
      const parameters = fromWire(trial.parameters);
      return [
        shortId(trial.id),
        String(memberOf.get(trial.id) ?? '-'),
        trial.origin === undefined ? '-' : shortId(trial.origin.parent),
        formatStep(from),
        formatStep(to),
        ...explored.map((name) => valueText(ownValue(parameters, name))),
        formatMetric(ownValue(trial.metrics, metric)),
      ];
    }),
  };
}
