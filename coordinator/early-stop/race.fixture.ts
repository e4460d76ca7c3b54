/** Simulates trials under an early-stopping rule, one report at a time, as in the coordinator. */
import { bisectRight } from 'd3-array';
import type { RankingRule } from '../../lib/domain/metric-values.ts';
import { addPoint, type CurvePoint, type StopDecision, signOf } from './rule.ts';
import { ruleOf } from './rules.ts';
import type { EarlyTerminate } from './settings.ts';

export const LOSS: RankingRule = { metric: 'loss', goal: 'minimize', at: 'last' };

/** One simulated race of trials under one rule. */
export class Race {
  readonly #rule;
  readonly #ranking: RankingRule;
  readonly #curves = new Map<string, CurvePoint[]>();
  readonly #rungs = new Map<number, number[]>();

  constructor(settings: EarlyTerminate, ranking: RankingRule = LOSS) {
    this.#rule = ruleOf(settings, ranking);
    this.#ranking = ranking;
  }

  /** The rungs that at least one trial has entered, in ascending order. */
  get rungs(): number[] {
    return [...this.#rungs.keys()].sort((a, b) => a - b);
  }

  report(trial: string, step: number, value: number): StopDecision {
    const curve = this.#curves.get(trial) ?? [];
    this.#curves.set(trial, curve);
    if (!addPoint(curve, step, signOf(this.#ranking.goal) * value)) return { kind: 'continue', reason: '' };
    const entry = this.#rule.entryOf(curve);
    if (entry !== undefined) {
      const scores = this.#rungs.get(entry.rung) ?? [];
      scores.splice(bisectRight(scores, entry.score), 0, entry.score);
      this.#rungs.set(entry.rung, scores);
    }
    return this.#rule.decide(curve, (rung) => this.#rungs.get(rung) ?? [], entry);
  }

  /**
   * Reports these values at steps 1, 2, ... until the rule stops the trial. Returns the last step and the last
   * decision.
   */
  run(trial: string, values: readonly number[]): StopDecision & { readonly step: number } {
    let last: StopDecision = { kind: 'continue', reason: '' };
    for (const [index, value] of values.entries()) {
      last = this.report(trial, index + 1, value);
      if (last.kind === 'stop') return { ...last, step: index + 1 };
    }
    return { ...last, step: values.length };
  }
}
