/** Replays ASHA with the known curves of all configs, without training. */
import { bisectRight } from 'd3-array';
import {
  enterRung,
  newPromotionRung,
  type PromotionRung,
  promoteBest,
} from '../../coordinator/early-stop/promotion.ts';
import { addPoint, type CurvePoint } from '../../coordinator/early-stop/rule.ts';
import { ruleOf } from '../../coordinator/early-stop/rules.ts';
import { shuffledIndex } from '../../coordinator/search/permutation.ts';

export const VARIANTS = ['stopping', 'promotion'] as const;
export type Variant = (typeof VARIANTS)[number];

/** The losses of a config after epochs 1, 2, ... */
export type Losses = readonly number[];

export interface ReplaySettings {
  readonly variant: Variant;
  readonly eta: number;
  /** The seed of the order in which trials start. */
  readonly seed: number;
  /** The number of trials that train at the same time. All epochs take equally long. */
  readonly slots: number;
}

export interface Replayed {
  /** The total number of epochs over all trials. */
  readonly epochs: number;
  /** The id of the trial whose last loss is the lowest. */
  readonly best: string;
}

interface ReplayedTrial {
  readonly id: string;
  readonly losses: Losses;
  readonly curve: CurvePoint[];
}

type Outcome = 'continue' | 'stop' | 'hold';

/** Replays all trials with ASHA. A promoted trial resumes before any new trial starts. */
export function replay(curves: ReadonlyMap<string, Losses>, { variant, eta, seed, slots }: ReplaySettings): Replayed {
  const all = [...curves].map(([id, losses]): ReplayedTrial => ({ id, losses, curve: [] }));
  const settings = { type: 'asha', minIter: 1, maxIter: undefined, eta } as const;
  const rule = ruleOf(settings, { metric: 'loss', goal: 'minimize', at: 'last' });
  const scores = new Map<number, number[]>();
  const rungs = new Map<number, PromotionRung>();
  const held = new Map<string, ReplayedTrial>();
  const promoted: ReplayedTrial[] = [];

  const trainEpoch = (trial: ReplayedTrial): Outcome => {
    const epoch = trial.curve.length + 1;
    addPoint(trial.curve, epoch, trial.losses[epoch - 1] ?? Number.NaN);
    const entered = rule.entryOf(trial.curve);
    if (epoch === trial.losses.length) return 'stop';
    if (entered === undefined) return 'continue';
    if (variant === 'stopping') {
      const sorted = scores.get(entered.rung) ?? [];
      scores.set(entered.rung, sorted);
      sorted.splice(bisectRight(sorted, entered.score), 0, entered.score);
      return rule.decide(trial.curve, () => sorted, entered).kind;
    }
    const rung = rungs.get(entered.rung) ?? newPromotionRung();
    rungs.set(entered.rung, rung);
    enterRung(rung, { trialId: trial.id, score: entered.score });
    held.set(trial.id, trial);
    for (const { trialId } of promoteBest(rung, eta, () => true)) {
      const next = held.get(trialId);
      held.delete(trialId);
      if (next !== undefined && next !== trial) promoted.push(next);
    }
    return held.has(trial.id) ? 'hold' : 'continue';
  };

  let started = 0;
  let running: ReplayedTrial[] = [];
  const next = () => promoted.shift() ?? all[started < all.length ? shuffledIndex(started++, all.length, seed) : -1];
  for (;;) {
    while (running.length < slots) {
      const trial = next();
      if (trial === undefined) break;
      running.push(trial);
    }
    if (running.length === 0) break;
    running = running.filter((trial) => trainEpoch(trial) === 'continue');
  }
  const last = ({ curve }: ReplayedTrial) => curve.at(-1)?.score ?? Number.POSITIVE_INFINITY;
  const best = all.reduce((one, other) => (last(other) < last(one) ? other : one));
  return { epochs: all.reduce((sum, { curve }) => sum + curve.length, 0), best: best.id };
}
