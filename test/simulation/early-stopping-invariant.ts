/**
 * The invariants of early stopping, which are checked on durable changes only. A trial enters each rung at most once.
 * If the rule is asha in its default variant, a trial is stopped if and only if the rule rejects a report of the trial
 * before the last epoch. The stop is in the same commit as this report. A stopped trial has no further changes, except
 * log text and files of its program.
 */
import { group } from 'd3-array';
import type { Change } from '../../coordinator/core/step.ts';
import { keyText } from '../../lib/domain/attempt-key.ts';
import { PopulationInvariant } from './population-invariant.ts';
import { type JudgedSweep, PromotionInvariant } from './promotion-invariant.ts';

type Entry = Change & { readonly kind: 'rung' };

export class EarlyStoppingInvariant {
  /** The metric values at each rung, by sweep and rung. */
  readonly #values = new Map<string, number[]>();
  /** The rungs that each trial has entered. Each key consists of the sweep, the trial and the rung. */
  readonly #entered = new Set<string>();
  /** The stopped trials. Each key consists of the sweep and the trial. */
  readonly #stopped = new Set<string>();

  /** The invariants of each sweep that trains a population. */
  readonly #populations = new Map<string, PopulationInvariant>();
  /** The invariants of each sweep whose rule promotes trials. */
  readonly #promotions = new Map<string, PromotionInvariant>();

  /** The cases that occurred, such as `an early stop`: a measure of coverage. */
  readonly reached = new Set<string>();

  /**
   * Returns the first violated invariant of a commit.
   * @param sweepOf returns the state and the policy of a sweep
   * @param epochsOf returns the parameter `epochs` of a trial
   */
  take(
    changes: readonly Change[],
    sweepOf: (sweepId: string) => JudgedSweep | undefined,
    epochsOf: (sweepId: string, trialId: string) => number,
  ): string | undefined {
    const stops = new Set(
      changes.flatMap((change) =>
        change.kind === 'ended' && change.end.outcome === 'stopped' ? keyText(change.key) : [],
      ),
    );
    for (const change of changes) {
      const trial = 'key' in change ? `${change.key.sweepId}/${change.key.trialId}` : '';
      if (this.#stopped.has(trial) && !isLateFile(change, sweepOf)) {
        return `trial ${trial} has a change after its stop: ${change.kind}`;
      }
      if (change.kind === 'rung') {
        const violated = this.#enter(change, stops.has(keyText(change.key)), sweepOf, epochsOf);
        if (violated !== undefined) return violated;
      }
      if (change.kind === 'trial' || change.kind === 'retried') {
        const name = `${change.sweepId}/${change.trialId}`;
        if (this.#stopped.has(name)) return `trial ${name} has a change after its stop: ${change.kind}`;
        if (change.kind === 'trial' && change.state === 'stopped') this.#stopped.add(name);
      }
    }
    return this.#takePromotions(changes, sweepOf);
  }

  #takePromotions(
    changes: readonly Change[],
    sweepOf: (sweepId: string) => JudgedSweep | undefined,
  ): string | undefined {
    const bySweep = group(changes, (change) =>
      'key' in change ? change.key.sweepId : 'sweepId' in change ? change.sweepId : '',
    );
    for (const [sweepId, own] of bySweep) {
      const sweep = sweepOf(sweepId);
      const rule = sweep?.policy.earlyTerminate;
      if (rule?.type === 'pbt') {
        const population = this.#populations.get(sweepId) ?? new PopulationInvariant(rule, this.reached);
        this.#populations.set(sweepId, population);
        const broken = population.take(own);
        if (broken !== undefined) return `sweep ${sweepId}: ${broken}`;
        continue;
      }
      if (sweep === undefined || rule?.type !== 'asha' || rule.variant !== 'promotion') continue;
      const promotions = this.#promotions.get(sweepId) ?? new PromotionInvariant(rule, this.reached);
      this.#promotions.set(sweepId, promotions);
      const violated = promotions.take(own, sweep);
      if (violated !== undefined) return `sweep ${sweepId}: ${violated}`;
    }
    return undefined;
  }

  #enter(
    { key, rung, step, value }: Entry,
    stops: boolean,
    sweepOf: (sweepId: string) => JudgedSweep | undefined,
    epochsOf: (sweepId: string, trialId: string) => number,
  ): string | undefined {
    const name = `${key.sweepId}/${key.trialId}/${rung}`;
    if (this.#entered.has(name)) return `trial ${key.sweepId}/${key.trialId} entered rung ${rung} twice`;
    this.#entered.add(name);
    const at = `${key.sweepId}/${rung}`;
    const values = [...(this.#values.get(at) ?? []), value];
    this.#values.set(at, values);
    const policy = sweepOf(key.sweepId)?.policy;
    const rule = policy?.earlyTerminate;
    if (policy === undefined || rule?.type !== 'asha' || rule.variant === 'promotion') return undefined;
    const better = values.filter((other) => other < value).length;
    const rejected = better >= Math.max(1, Math.floor(values.length / rule.eta));
    // Programs can count epochs from 0.
    const last = epochsOf(key.sweepId, key.trialId) - (policy.trainer === 'command' ? 1 : 0);
    const isLast = step >= last;
    if (stops) this.reached.add('an early stop');
    if (rejected && isLast) this.reached.add('no early stop at the last epoch');
    if (stops === (rejected && !isLast)) return undefined;
    return `${keyText(key)} ${stops ? 'was stopped' : 'continued'} at rung ${rung} with ${better} of ${values.length} better`;
  }
}

/** Whether a change is log text or a file of a program. A program can send both even after its trial was stopped. */
function isLateFile(change: Change, sweepOf: (sweepId: string) => JudgedSweep | undefined): boolean {
  if (change.kind !== 'log' && change.kind !== 'artifact') return false;
  return sweepOf(change.key.sweepId)?.policy.trainer === 'command';
}
