import { usualGoal } from '../../lib/domain/ranking.ts';
import { formatMetric } from '../../lib/text/numbers.ts';
import type { Segment } from '../../lib/text/segment.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { pad, truncate } from '../../lib/text/width.ts';
import { sideBySide } from '../draw/layout.ts';
import { EMPTY_LINE, type StyledLine, styledLine } from '../draw/line.ts';
import { heatMap } from '../draw/text-charts.ts';
import type { ParameterImportance } from '../source.ts';
import { crossTable, type MarginalLevel, marginalLevels } from '../state/marginals.ts';
import type { Model } from '../state/model.ts';
import { metricShown, pairShown, parametersByImportance } from '../state/selectors.ts';

const WIDE = 120;
const BAR = 16;
const VALUE = 14;

/** Draws the effect and importance of each parameter on a metric, and a heat map of two parameters. */
export function parametersView(model: Model, columns: number, lines: number): StyledLine[] {
  const { board, importance } = model;
  const metric = metricShown(model);
  const goal = board.metrics.find(({ name }) => name === metric)?.goal ?? usualGoal(metric);
  const current = importance?.metric === metric ? importance : undefined;
  const names = parametersByImportance(model);
  const head = styledLine(
    `${visibleText(metric)}, ${goal} (m: next metric); mean ± standard deviation over trials`,
    'bold',
  );
  if (names.length === 0) return [head, styledLine('no parameter varies', 'dim')];
  const wide = columns >= WIDE;
  const left = wide ? Math.floor(columns / 2) : columns;
  const effects = names.flatMap((name): StyledLine[] => {
    const levels = marginalLevels(model.analysedConfigs, name, metric, goal === 'minimize');
    return [{ segments: titleOf(name, current) }, ...levelLines(levels, goal === 'minimize', left), EMPTY_LINE];
  });
  const why = current === undefined || current.why === '' ? [] : [styledLine(visibleText(current.why), 'dim')];
  const heat = heatOf(model, metric, goal === 'minimize', wide ? columns - left - 2 : columns, lines);
  if (!wide) return [head, ...why, EMPTY_LINE, ...effects, ...heat];
  return [
    head,
    ...why,
    EMPTY_LINE,
    ...sideBySide([effects, [...heat, EMPTY_LINE, ...interactions(current)]], [left, columns - left - 2]),
  ];
}

function titleOf(name: string, importance: ParameterImportance | undefined): Segment[] {
  const effect = importance?.effects.find(({ parameter }) => parameter === name);
  const title: Segment = { text: visibleText(name), style: 'bold' };
  if (effect === undefined) return [title];
  const cells = Math.round(effect.share * BAR);
  const p = effect.p === undefined ? '' : effect.p < 0.001 ? '  p<0.001' : `  p=${effect.p.toFixed(3)}`;
  return [
    title,
    { text: '  ' },
    { text: '█'.repeat(cells), style: 'cyan' },
    { text: '░'.repeat(BAR - cells), style: 'dim' },
    { text: ` ${(effect.share * 100).toFixed(1)}% of the variance${p}` },
  ];
}

/** The longest bar is the best value, whatever the goal. */
function levelLines(levels: readonly MarginalLevel[], minimize: boolean, width: number): StyledLine[] {
  if (levels.length === 0) return [styledLine('  no result yet', 'dim')];
  const means = levels.map(({ mean }) => mean);
  const [low, high] = [Math.min(...means), Math.max(...means)];
  const room = Math.max(4, Math.min(30, width - VALUE - 42));
  return levels.map(({ value, mean, std, best, n }): StyledLine => {
    const share = high > low ? (mean - low) / (high - low) : 1;
    const good = high > low && minimize ? 1 - share : share;
    const cells = 1 + Math.round(good * (room - 1));
    return {
      segments: [
        { text: `  ${pad(truncate(visibleText(value), VALUE - 1), VALUE, 'left')} ` },
        { text: '█'.repeat(cells), style: good > 0.99 ? 'cyan' : undefined },
        { text: ' '.repeat(room - cells) },
        { text: ` ${pad(formatMetric(mean), 9, 'left')} ±${pad(std.toPrecision(2), 7, 'right')}` },
        { text: ` best ${formatMetric(best)}  n=${n}`, style: 'dim' },
      ],
    };
  });
}

function heatOf(model: Model, metric: string, minimize: boolean, width: number, lines: number): StyledLine[] {
  const pair = pairShown(model);
  if (pair === undefined) return [];
  const crossing = crossTable(model.analysedConfigs, pair, metric);
  if (crossing.down.length === 0) return [];
  const [down, across] = pair;
  const map = {
    down: { name: down, values: crossing.down },
    across: { name: across, values: crossing.across },
    value: crossing.mean,
    minimize,
  };
  const title = styledLine(visibleText(`${down} by ${across} (h: next pair; ":heat A B")`), 'bold');
  return [title, ...heatMap(map, width, Math.max(6, lines - 6))];
}

function interactions(importance: ParameterImportance | undefined): StyledLine[] {
  if (importance === undefined || importance.interactions.length === 0) return [];
  return [
    styledLine('interactions', 'bold'),
    ...importance.interactions
      .slice(0, 6)
      .map(({ parameters: [a, b], share }) =>
        styledLine(visibleText(`  ${a} x ${b}: ${(share * 100).toFixed(1)}% of the variance`)),
      ),
  ];
}
