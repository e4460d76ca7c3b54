import { ownValue } from '../../../lib/domain/own-value.ts';
import { formatCount } from '../../../lib/text/numbers.ts';
import type { GoalName } from '../../../proto/names.ts';
import { type ParallelLine, parallelChart } from '../charts/parallel-chart.ts';
import { valueScale } from '../charts/plot-area.ts';
import type { ReportData } from '../data.ts';
import type { ReportBlock, Section } from '../document.ts';
import { evenly, MAX_LEVELS, MAX_PARALLEL_AXES, MAX_PARALLEL_LINES } from '../limits.ts';
import { levelsOf } from '../parameter-levels.ts';
import { objectiveGoal, objectiveOf, type VariedParameters, valuesOf } from '../trial-results.ts';

const BEST_SHARE = 0.1;

/** Returns the section with the parallel coordinates; undefined with fewer than two configs or parameters. */
export function parallelSection(data: ReportData, space: VariedParameters): Section | undefined {
  const metric = objectiveOf(data);
  const ranked = data.configs.filter(({ rank }) => rank > 0);
  const axes = space.independent.flatMap((name) => {
    const levels = levelsOf(valuesOf(space, name), MAX_LEVELS);
    return levels === undefined ? [] : [{ name, levels }];
  });
  const shownAxes = axes.slice(0, MAX_PARALLEL_AXES);
  if (ranked.length < 2 || shownAxes.length < 2) return undefined;
  const best = Math.max(1, Math.round(ranked.length * BEST_SHARE));
  const lines = evenly(ranked, MAX_PARALLEL_LINES).map(
    (config): ParallelLine => ({
      places: shownAxes.map(({ name, levels }) =>
        levels.findIndex(({ has }) => has(space.parameters.get(config)?.[name])),
      ),
      value: ownValue(config.metrics, metric)?.mean ?? 0,
      best: config.rank <= best,
    }),
  );
  const scale = valueScale(lines.map(({ value }) => value));
  const drawing = parallelChart(
    shownAxes.map(({ name, levels }) => ({ name, labels: levels.map(({ label }) => label) })),
    lines,
    metric,
    scale,
  );
  const names = shownAxes.map(({ name }) => name).join(', ');
  const blocks: ReportBlock[] = [
    {
      kind: 'figure',
      figure: {
        title: `From parameters to ${metric}`,
        caption: captionOf(metric, objectiveGoal(data), best, ranked.length),
        legend: [],
        panels: [
          { title: '', alt: `Parallel coordinates of ${lines.length} configs over ${names} and ${metric}.`, drawing },
        ],
        scrolls: shownAxes.length > 2,
        table: undefined,
      },
    },
  ];
  const left = [
    ...(lines.length < ranked.length
      ? [`${lines.length} of ${formatCount(ranked.length)} configs, evenly spaced by rank`]
      : []),
    ...(shownAxes.length < space.independent.length
      ? [`${shownAxes.length} of ${space.independent.length} parameters`]
      : []),
  ];
  if (left.length > 0) blocks.push({ kind: 'note', text: `Drawn: ${left.join('; ')}.` });
  return { id: 'parallel', title: 'All parameters together', blocks };
}

function captionOf(metric: string, goal: GoalName, best: number, ranked: number): string {
  const bold = best === 1 ? 'The best config is drawn in bold' : `The best ${best} are drawn in bold`;
  const better = goal === 'minimize' ? 'lower' : 'higher';
  return `One line per config (${formatCount(ranked)} in total), from its parameters to its mean ${metric}; ${better} is better. ${bold}.`;
}
