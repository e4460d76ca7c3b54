/** Ranks trials and configs by a metric, and defines the ranking metrics of a sweep and their goals. */
import { Goal, type Metric, type Sweep, type Trial } from '../../proto/gen/trawl/v1/types.ts';
import { type GoalName, goal } from '../../proto/names.ts';
import { lossesOf, type Objective, rankByLosses } from './pareto.ts';
import { trialValue } from './trial-result.ts';

export type RankedMetric = Objective;

/** If the name of a metric contains one of these words, higher values of the metric are better. */
const BETTER_IF_HIGHER = new Set([
  ...['acc', 'accuracy', 'auc', 'auroc', 'auprc', 'bleu', 'correct', 'dice', 'f1', 'fbeta', 'iou', 'jaccard'],
  ...[
    'kappa',
    'map',
    'map50',
    'mcc',
    'meteor',
    'miou',
    'mrr',
    'ndcg',
    'precision',
    'psnr',
    'r2',
    'recall',
    'return',
    'reward',
  ],
  ...[
    'rouge',
    'rouge1',
    'rouge2',
    'rougel',
    'score',
    'sensitivity',
    'specificity',
    'ssim',
    'throughput',
    'top1',
    'top5',
  ],
]);
/**
 * The default goal of a metric is minimize if its name has one of these words, even if the name also has a word from the
 * list above. Examples: `score_loss` and `f1_error`.
 */
const BETTER_IF_LOWER = new Set([
  ...['brier', 'cer', 'distance', 'err', 'error', 'errors', 'fid', 'latency', 'loss', 'losses', 'mae', 'mse', 'nll'],
  ...['perplexity', 'ppl', 'regret', 'rmse', 'std', 'time', 'variance', 'wer'],
]);

/**
 * Returns the default goal of a metric: maximize if its name has a word such as `accuracy`, `f1` or `psnr` and no word
 * such as `loss`; else minimize. A word ends before a capital letter that follows a small letter or a digit, and at
 * each character that is neither a letter nor a digit.
 */
export function usualGoal(metric: string): GoalName {
  const words = metric
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]+/);
  if (words.some((word) => BETTER_IF_LOWER.has(word))) return 'minimize';
  return words.some((word) => BETTER_IF_HIGHER.has(word)) ? 'maximize' : 'minimize';
}

/** Returns the goal that the sweep sets for a metric or, if the sweep sets none, the metric's default goal. */
export function goalOf(sweep: Sweep, metric: string): GoalName {
  const own = sweep.objectives.find(({ name }) => name === metric) ?? sweep.metric;
  return own?.name === metric && own.goal !== Goal.UNSPECIFIED ? goal.of(own.goal) : usualGoal(metric);
}

/** Returns the objectives of a sweep that has several objectives; an empty list for any other sweep. */
export function objectivesOf({ objectives }: Pick<Sweep, 'objectives'>): Objective[] {
  return objectives.map(({ name, goal: direction }) => ({ name, goal: goal.of(direction) }));
}

/** Returns a sweep's objectives for display, such as `minimize loss` or `minimize loss, maximize psnr`. */
export function objectiveText({ metric, objectives }: Pick<Sweep, 'metric' | 'objectives'>): string {
  const all = objectives.length > 0 || metric === undefined ? objectives : [metric];
  return all.map(metricText).join(', ');
}

function metricText({ name, goal: direction }: Metric): string {
  return `${goal.of(direction)} ${name === '' ? 'the first metric that appears in two reports of a trial' : name}`;
}

/** Names of metrics that only count the progress of a program. */
const PROGRESS = /^(?:_.*|epochs?|(?:global_|trainer\/global_)?steps?|iter(?:ation)?)$/i;

/**
 * If the file of a sweep names no metric, this function chooses the metric that ranks the sweep: the first metric that
 * appears in two reports of a trial. Parameters, and counters such as `step`, are never chosen.
 * @param names the names in a report, in the order of the report
 * @param earlier the names in the trial's earlier reports
 * @param parameters the names of the trial's parameters
 */
export function firstRepeatedMetric(
  names: readonly string[],
  earlier: ReadonlySet<string>,
  parameters: Readonly<Record<string, unknown>>,
): string | undefined {
  return names.find((name) => earlier.has(name) && !PROGRESS.test(name) && !Object.hasOwn(parameters, name));
}

/**
 * Returns the ranking metric of a sweep: its own metric or, while it has none, the first metric of the first item with
 * metrics. Returns an empty string if the sweep has no metric and no item has metrics.
 * @param own the sweep's own metric, or an empty string if it has no metric yet
 * @param items the trials or configs
 */
export function rankingMetric(
  own: string | undefined,
  items: Iterable<{ readonly metrics: Readonly<Record<string, unknown>> }>,
): string {
  if (own !== undefined && own !== '') return own;
  for (const { metrics } of items) {
    const [first] = Object.keys(metrics);
    if (first !== undefined) return first;
  }
  return '';
}

/**
 * Returns the ranking metrics of a sweep. A sweep with several objectives is ranked by its objectives. For any other
 * sweep, the first ranking metric is the sweep's own metric or, while it has none, the first name in `reported`. The
 * second is `psnr`, or `test_loss` if the first is `psnr`. The second metric is omitted until a trial has reported it.
 * @param reported the names of the metrics that trials have reported
 */
export function rankedMetrics(sweep: Sweep, reported: readonly string[]): RankedMetric[] {
  const objectives = objectivesOf(sweep);
  if (objectives.length > 0) return objectives;
  const named = sweep.metric?.name ?? 'test_loss';
  const own = named === '' ? (reported[0] ?? '') : named;
  const second = own === 'psnr' ? 'test_loss' : 'psnr';
  const names = reported.includes(second) ? [own, second] : [own];
  return names.map((name) => ({ name, goal: goalOf(sweep, name) }));
}

/**
 * Orders items best first and gives each its place. Places count from 1. Items with equal values share a place and are
 * ordered by index. Items without a finite value come last, with place 0.
 */
export function rank<T extends { readonly index: number }>(
  items: readonly T[],
  scoreOf: (item: T) => number | undefined,
  goal: GoalName,
): [T, number][] {
  const sign = goal === 'minimize' ? 1 : -1;
  const scored = items.map((item) => {
    const value = scoreOf(item);
    return { item, score: value !== undefined && Number.isFinite(value) ? value * sign : undefined };
  });
  scored.sort((a, b) => {
    if (a.score === undefined || b.score === undefined) {
      if (a.score === b.score) return a.item.index - b.item.index;
      return a.score === undefined ? 1 : -1;
    }
    return a.score - b.score || a.item.index - b.item.index;
  });
  let place = 0;
  return scored.map(({ item, score }, at) => {
    if (score === undefined) return [item, 0];
    if (at === 0 || score !== scored[at - 1]?.score) place = at + 1;
    return [item, place];
  });
}

/** Ranks single trials by several objectives (pareto.ts), and sets their `rank` and `front`. */
export function rankTrialsByObjectives(trials: readonly Trial[], objectives: readonly Objective[]): Trial[] {
  const goals = objectives.map(({ goal: direction }) => direction);
  const lossesOfTrial = (trial: Trial) =>
    lossesOf(
      objectives.map(({ name }) => trialValue(trial, name)),
      goals,
    );
  return rankByLosses(trials, lossesOfTrial).map(([trial, { place, front }]) => ({
    ...trial,
    rank: place,
    front: front || undefined,
  }));
}

/** Ranks single trials by a metric, with the rules of {@link rank}, and sets their `rank`. */
export function rankTrials(trials: readonly Trial[], metric: string, goal: GoalName): Trial[] {
  return rank(trials, (trial) => trialValue(trial, metric), goal).map(([trial, place]) => ({ ...trial, rank: place }));
}
