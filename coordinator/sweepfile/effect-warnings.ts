/** Finds settings of a valid sweep that have no effect, and settings whose effect can surprise their author. */

import { countText, formatCount } from '../../lib/text/numbers.ts';
import { show } from '../../lib/text/quote.ts';
import { firstComparison } from '../early-stop/effect.ts';
import { noPointsReason } from '../grid/enumerate.ts';
import { longestTraining } from '../grid/longest-training.ts';
import { type Plan, plan as planOf } from '../grid/plan.ts';
import { type Condition, ruleText } from '../grid/points.ts';
import type { SweepSpec } from '../grid/spec.ts';
import { contains } from '../search/warm-start.ts';
import { DEFAULT_CHECKPOINT_EVERY, DEFAULT_RECONSTRUCT_EVERY } from './defaults.ts';

/** Returns the warnings about a sweep, one sentence each. @param plan the plan of the sweep */
export function effectWarnings(spec: SweepSpec, plan: Plan): string[] {
  const last = longestTraining(spec, spec.search?.space ?? new Map());
  return [
    ...stepWarnings(spec, last),
    ...comparisonWarnings(spec, plan),
    ...limitWarnings(spec, plan),
    ...checkpointWarnings(spec, last),
    ...conditionWarnings(spec, plan),
    ...searchWarnings(spec),
    ...trainerWarnings(spec),
  ];
}

/**
 * Warns about a rule that stops no trial because its first comparison is too late. The parser rejects such a rule for a
 * built-in trainer, whose steps are known.
 */
function stepWarnings({ trainer, earlyTerminate }: SweepSpec, last: number | undefined): string[] {
  if (earlyTerminate === undefined || last === undefined || trainer !== 'command') return [];
  const { key, step } = firstComparison(earlyTerminate, 0);
  if (step < last) return [];
  // These rules count values, and a program can report several values per epoch.
  const countsValues = earlyTerminate.type === 'hyperband' || key === 'patience';
  return [
    `early_terminate stops no trial${countsValues ? ' if the program reports once per epoch' : ''}: with this ${key}, the ` +
      `first comparison is at step ${formatCount(step)}, but no trial is stopped at its last epoch, and the last epoch is at ` +
      `most ${formatCount(last)} if epochs count from 0`,
  ];
}

/** Returns a warning if an early-stopping rule compares trials with each other, but the sweep has too few trials. */
function comparisonWarnings({ earlyTerminate }: SweepSpec, { trials, isBound }: Plan): string[] {
  if (trials === 0) return [];
  const has = `the sweep has ${isBound && trials > 1 ? 'at most ' : ''}${countText(trials, 'trial')}`;
  switch (earlyTerminate?.type) {
    case 'median': {
      const others = Math.max(1, earlyTerminate.minTrials);
      if (trials > others) return [];
      return [
        `early_terminate stops no trial: with min_trials ${formatCount(others)}, a comparison needs ` +
          `${countText(others, 'other trial')}, and ${has}`,
      ];
    }
    case 'asha': {
      const { variant, eta } = earlyTerminate;
      if (variant === 'promotion' && trials < eta) {
        return [`early_terminate promotes no trial: a rung needs at least ${eta} trials (eta), and ${has}`];
      }
      return trials > 1 ? [] : [`early_terminate stops no trial: it compares trials with each other, and ${has}`];
    }
    case 'hyperband':
      return trials > 1 ? [] : [`early_terminate stops no trial: it compares trials with each other, and ${has}`];
    default:
      return [];
  }
}

function limitWarnings(spec: SweepSpec, plan: Plan): string[] {
  const { maxFailed, earlyTerminate, adaptiveReplicates, runCap, hypotheses } = spec;
  const warnings: string[] = [];
  if (plan.trials === 0) warnings.push(`${noPointsReason(spec)}: the sweep has no trials`);
  const isPopulation = earlyTerminate?.type === 'pbt';
  if (maxFailed?.kind === 'share' && maxFailed.ratio >= 1) {
    warnings.push('max_failed 100% has no effect: the share of failed trials never exceeds 100%');
  } else if (maxFailed?.kind === 'count' && maxFailed.count >= plan.trials && !isPopulation && plan.trials > 0) {
    const count = countText(plan.trials, 'trial');
    warnings.push(`max_failed ${formatCount(maxFailed.count)} has no effect: the sweep has ${count}`);
  }
  if (isPopulation && earlyTerminate.maxTrials === earlyTerminate.population) {
    warnings.push(
      `run_cap ${formatCount(earlyTerminate.population)} equals the population, so no member is ever replaced by a child`,
    );
  }
  if (adaptiveReplicates !== undefined && hypotheses.length === 0 && plan.configs === 1) {
    warnings.push(
      `until: decided has no effect: without hypotheses and with a single config, nothing remains to be decided after ` +
        `${adaptiveReplicates.min} replicates`,
    );
  }
  if (adaptiveReplicates !== undefined && runCap !== undefined) {
    const first = planOf({ ...spec, runCap: undefined }).configs * adaptiveReplicates.min;
    if (runCap <= first) {
      warnings.push(
        `run_cap ${formatCount(runCap)} leaves no trial for further replicates: the first ${adaptiveReplicates.min} replicates ` +
          `of all configs are ${countText(first, 'trial')}`,
      );
    }
  }
  return warnings;
}

function checkpointWarnings(
  { trainer, checkpointEvery }: Pick<SweepSpec, 'trainer' | 'checkpointEvery'>,
  last: number | undefined,
): string[] {
  if (trainer !== 'autoencoder' || last === undefined || checkpointEvery <= 1 || checkpointEvery < last) return [];
  return [
    `checkpoint_every ${formatCount(checkpointEvery)} stores no checkpoint: the longest trial ends at epoch ${formatCount(last)}`,
  ];
}

/** Returns warnings about `exclude` rules that drop no point, and about conditions with a value that no point has. */
function conditionWarnings(spec: SweepSpec, { excluded }: Plan): string[] {
  const rules = [
    ...spec.exclude.map(({ conditions }, index) => ({ key: 'exclude', conditions, count: excluded[index]?.count })),
    ...spec.when.map(({ conditions }) => ({ key: 'when', conditions, count: undefined })),
  ];
  return rules.flatMap(({ key, conditions, count }) => {
    const missing = conditions.flatMap((condition) => missingValues(condition, spec));
    if (missing.length > 0) return missing.map((text) => `${key}: ${text} in this sweep`);
    if (count !== 0 || spec.search !== undefined) return [];
    return [`${key}: the rule ${ruleText(conditions)} drops no point that earlier rules keep`];
  });
}

function missingValues({ name, anyOf }: Condition, { axes, search }: SweepSpec): string[] {
  const axis = axes.find((one) => one.name === name);
  const distribution = search?.space.get(name);
  const missing = anyOf.filter((value) => {
    if (axis !== undefined) return axis.indexOf(value) < 0;
    return distribution !== undefined && !contains(distribution, value);
  });
  return missing.map((value) => `${name} is never ${show(value)}`);
}

/** The samplers of Optuna that use no results of earlier trials. */
const UNINFORMED_SAMPLERS = ['RandomSampler', 'QMCSampler'];

function searchWarnings({ order, search }: SweepSpec): string[] {
  const warnings: string[] = [];
  if (order.kind === 'shuffled' && search !== undefined) {
    const { method } = search;
    warnings.push(`order: shuffled has no effect with method ${method}, which chooses the order of its points itself`);
  }
  if (search?.method === 'optuna' && search.warmStart.length > 0 && UNINFORMED_SAMPLERS.includes(search.sampler)) {
    warnings.push(`warm_start has no effect with ${search.sampler}, which uses no results`);
  }
  return warnings;
}

/** Returns warnings about settings of artifacts and reports, if the settings have no effect. */
function trainerWarnings({ trainer, checkpointEvery, reconstructEvery, program, timeoutMs }: SweepSpec): string[] {
  const warnings: string[] = [];
  if (trainer !== 'autoencoder' && reconstructEvery !== DEFAULT_RECONSTRUCT_EVERY) {
    warnings.push(`reconstruct_every has no effect: trainer ${trainer} stores no reconstructions`);
  }
  if (trainer === 'noop' && checkpointEvery > DEFAULT_CHECKPOINT_EVERY) {
    warnings.push('checkpoint_every has no effect: trainer noop stores no checkpoints');
  }
  const firstReportMs = program?.firstReportMs ?? 0;
  if (timeoutMs !== undefined && firstReportMs >= timeoutMs && firstReportMs > 0) {
    warnings.push('first_report has no effect: timeout ends each attempt earlier');
  }
  return warnings;
}
