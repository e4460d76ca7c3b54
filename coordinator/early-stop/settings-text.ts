/** Formats the settings of an early-stopping rule, for plans. */
import type { EarlyTerminate } from './settings.ts';

/** Returns the settings by their sweep-file keys, including defaults. Settings without a value are undefined. */
export function earlyTerminateJson(settings: EarlyTerminate): Record<string, unknown> {
  const { type } = settings;
  switch (type) {
    case 'hyperband': {
      const { steps, eta, strict } = settings;
      if ('minIter' in steps) return { type, min_iter: steps.minIter, eta, strict };
      return { type, max_iter: steps.maxIter, s: steps.brackets, eta, strict };
    }
    case 'asha': {
      const { minIter, maxIter, eta, variant } = settings;
      return { type, variant, min_iter: minIter, max_iter: maxIter, eta };
    }
    case 'median':
      return { type, min_iter: settings.minIter, min_trials: settings.minTrials };
    case 'patience':
      return { type, min_iter: settings.minIter, patience: settings.patience, min_delta: settings.minDelta };
    case 'pbt': {
      const { population, interval, quantile, perturb, resample, explore, maxTrials } = settings;
      const names = explore.map(([name]) => name);
      return { type, population, interval, quantile, perturb, resample, explore: names, run_cap: maxTrials };
    }
    case 'threshold':
      return { type, min_iter: settings.minIter, worse_than: settings.worseThan };
  }
}

/** Returns a one-line text such as `hyperband, min_iter 3, eta 3`. */
export function earlyTerminateText(settings: EarlyTerminate): string {
  const { type, ...keys } = earlyTerminateJson(settings);
  const texts = Object.entries(keys).flatMap(([key, value]) => {
    if (value === undefined || value === false) return [];
    return value === true ? key : `${key} ${Array.isArray(value) ? value.join(' | ') : value}`;
  });
  return [type, ...texts].join(', ');
}
