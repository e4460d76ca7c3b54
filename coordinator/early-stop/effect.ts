/** Decides whether an early-stopping rule can stop any trial of a sweep. */
import { bracketsOf } from './hyperband.ts';
import { risingRungs } from './rungs.ts';
import type { EarlyTerminate } from './settings.ts';

/** The first comparison at which a rule can stop or hold a trial. */
interface FirstComparison {
  /** The sweep-file key of the setting that determines `step`. */
  readonly key: 'min_iter' | 'max_iter' | 'patience' | 'interval';
  /** The lowest step at which the rule can stop or hold a trial. */
  readonly step: number;
  /** `step` minus the value of the setting `key`. If `key` is `max_iter`, `step` minus the first rung. */
  readonly offset: number;
}

/**
 * Returns the first comparison of a rule.
 * @param firstStep the step of a trial's first report: 1 for the built-in trainers; 0 for a program, which may count
 * from 0
 */
export function firstComparison(settings: EarlyTerminate, firstStep: 0 | 1): FirstComparison {
  // A trial reports its n-th value at the step n - 1 + firstStep.
  const shift = firstStep - 1;
  switch (settings.type) {
    case 'hyperband': {
      const [rung = 1] = bracketsOf(settings);
      return { key: 'minIter' in settings.steps ? 'min_iter' : 'max_iter', step: rung + shift, offset: shift };
    }
    case 'patience': {
      const { patience, minIter } = settings;
      const step = patience + 1 + shift;
      return step > minIter
        ? { key: 'patience', step, offset: 1 + shift }
        : { key: 'min_iter', step: minIter, offset: 0 };
    }
    case 'pbt':
      return { key: 'interval', step: settings.interval, offset: 0 };
    default:
      return { key: 'min_iter', step: settings.minIter, offset: 0 };
  }
}

/**
 * Returns the rungs of asha or hyperband, in ascending order. Empty for all other rules.
 * @param last the last epoch of the longest trial. No trial is stopped at this epoch. If undefined, only the first
 * three rungs are returned
 */
export function shownRungs(settings: EarlyTerminate, last: number | undefined): number[] {
  const rungs = rungsOf(settings);
  return last === undefined ? rungs.slice(0, 3) : rungs.filter((rung) => rung < last);
}

function rungsOf(settings: EarlyTerminate): number[] {
  switch (settings.type) {
    case 'asha':
      return risingRungs(settings.minIter, settings.eta, settings.maxIter);
    case 'hyperband':
      return bracketsOf(settings);
    default:
      return [];
  }
}
