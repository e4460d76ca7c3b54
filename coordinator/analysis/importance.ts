/** How much each parameter of a sweep moves a metric: analysis of variance. */

import { resultOf, spreadOf } from '../../lib/domain/trial-result.ts';
import type { Spread } from '../../proto/gen/trawl/v1/types.ts';
import type { ParameterValue } from '../../proto/trainers.ts';
import { anovaOf } from './anova.ts';
import { balancedGrid, type Observation } from './balanced-grid.ts';
import type { JudgedTrial } from './judged-trial.ts';

export interface ParameterEffect {
  readonly parameter: string;
  /** Of the total sum of squares, 0 to 1. */
  readonly share: number;
  /** Undefined where nothing is left to test against (one seed and no replicates). */
  readonly f: number | undefined;
  readonly p: number | undefined;
  /** The metric at each of the parameter's values, over everything else. */
  readonly levels: readonly { readonly value: ParameterValue; readonly spread: Spread }[];
}

export interface Importance {
  readonly metric: string;
  readonly balanced: boolean;
  /** What was left out to balance the grid, or why there is nothing; and which parameters change together. */
  readonly why: string;
  readonly effects: readonly ParameterEffect[];
  readonly interactions: readonly {
    readonly parameters: readonly [string, string];
    readonly share: number;
    readonly p: number | undefined;
  }[];
  /** The share that neither effects nor interactions explain, between replicates too. */
  readonly residual: number;
}

/**
 * Analysis of variance over the trials that have a result. Where they make no balanced grid (exclude, `when`, failures),
 * it is that of the largest balanced part found, and `why` says what was left out; where there is none, there are no
 * effects at all. Effects and interactions come largest first.
 * @param axes parameters that give their name to what changes with them, such as the sweep's axes
 */
export function importanceOf(trials: readonly JudgedTrial[], metric: string, axes: readonly string[]): Importance {
  const all = trials.flatMap((trial): Observation[] => {
    const value = resultOf(trial, metric);
    return value === undefined ? [] : [{ trial, value }];
  });
  if (all.length === 0) return nothing(metric, 'no trial has a result yet');
  const names = new Set(all.flatMap(({ trial }) => Object.keys(trial.parameters)));
  const others = [...names].filter((name) => !axes.includes(name));
  const grid = balancedGrid(all, axes, others);
  if (typeof grid === 'string') return nothing(metric, grid);
  const { terms, total, residual } = anovaOf(grid);
  if (total === 0) return nothing(metric, `${metric} is the same in every trial`);
  const share = (sumOfSquares: number) => sumOfSquares / total;
  const effects = grid.factors.map(({ name, values }) => {
    const term = terms.find(({ names }) => names.length === 1 && names[0] === name);
    const levels = values.map((value) => ({ value, spread: spreadAt(grid.observations, name, value) }));
    return { parameter: name, share: share(term?.sumOfSquares ?? 0), f: term?.f, p: term?.p, levels };
  });
  const interactions = terms.flatMap(({ names: [a, b], sumOfSquares, p }) =>
    a === undefined || b === undefined ? [] : [{ parameters: [a, b] as const, share: share(sumOfSquares), p }],
  );
  return {
    metric,
    balanced: grid.notes.length === 0,
    why: [...grid.notes, ...grid.asides].join('; '),
    effects: effects.sort((a, b) => b.share - a.share),
    interactions: interactions.sort((a, b) => b.share - a.share),
    residual: share(residual),
  };
}

function nothing(metric: string, why: string): Importance {
  return { metric, balanced: false, why, effects: [], interactions: [], residual: 0 };
}

function spreadAt(observations: readonly Observation[], name: string, value: ParameterValue): Spread {
  return spreadOf(observations.flatMap((one) => (one.trial.parameters[name] === value ? one.value : [])));
}
