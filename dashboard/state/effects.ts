/** The effects of all parameters on a metric, for the parameters view, which draws the effects on one scale. */

import { commonScale, type Scale } from '../draw/interval-track.ts';
import type { EffectLevel } from '../source.ts';
import { marginalLevels } from './marginals.ts';
import type { Model } from './model.ts';
import { metricShown, parametersByImportance } from './selectors.ts';

export interface ShownEffect {
  readonly parameter: string;
  /** Undefined if the parameter was not analyzed. */
  readonly share: number | undefined;
  readonly p: number | undefined;
  readonly significant: boolean | undefined;
  readonly levels: readonly EffectLevel[];
}

export interface ShownEffects {
  readonly effects: readonly ShownEffect[];
  /** Undefined if there is no mean to draw, for example because no trial has finished. */
  readonly scale: Scale | undefined;
  readonly estimated: boolean;
  /** The reason why there is no analysis, or the parameters that the analysis skipped. */
  readonly why: string;
}

/**
 * Returns the effects, those of the most important parameters first. If a parameter was not analyzed, its effect has
 * only the mean over the finished trials at each value.
 */
export function shownEffects(model: Model): ShownEffects {
  const metric = metricShown(model);
  const analysis = model.importance?.metric === metric ? model.importance : undefined;
  const effects = parametersByImportance(model).map((parameter): ShownEffect => {
    const effect = analysis?.effects.find((one) => one.parameter === parameter);
    if (effect !== undefined) return effect;
    const levels = marginalLevels(model.analyzedConfigs, parameter, metric);
    return { parameter, share: undefined, p: undefined, significant: undefined, levels };
  });
  const levels = effects.flatMap((effect) => effect.levels);
  const results = {
    low: Math.min(...levels.map(({ lowest }) => lowest)),
    high: Math.max(...levels.map(({ highest }) => highest)),
  };
  return {
    effects,
    scale: levels.length === 0 ? undefined : commonScale(levels, results),
    estimated: analysis?.estimated ?? false,
    why: analysis?.why ?? '',
  };
}
