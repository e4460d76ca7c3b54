/**
 * The invariants of early stopping, checked with durable changes only. Each trial enters a rung once. A sweep with the
 * rule asha
 * stops exactly the trials that the rule rejects, in the commit of the report. A stopped trial has no further changes.
 */
import type { SweepPolicy } from '../../coordinator/core/policy.ts';
import type { Change } from '../../coordinator/core/step.ts';
import { keyText } from '../../lib/domain/attempt-key.ts';

type Entry = Change & { readonly kind: 'rung' };

export class EarlyStoppingInvariant {
  /** The metric values at each rung, by sweep and rung. */
  readonly #values = new Map<string, number[]>();
  /** The entered rungs, by sweep, trial and rung. */
  readonly #entered = new Set<string>();
  /** The stopped trials, by sweep and trial. */
  readonly #stopped = new Set<string>();

  /** Whether a trial was stopped, and whether a rejected trial was at its last epoch. */
  readonly reached = new Set<string>();

  /**
   * Returns the first violated invariant of a commit.
   * @param policyOf returns the policy of a sweep
   * @param epochsOf returns the parameter `epochs` of a trial
   */
  take(
    changes: readonly Change[],
    policyOf: (sweepId: string) => SweepPolicy | undefined,
    epochsOf: (sweepId: string, trialId: string) => number,
  ): string | undefined {
    const stops = new Set(
      changes.flatMap((change) =>
        change.kind === 'ended' && change.end.outcome === 'stopped' ? keyText(change.key) : [],
      ),
    );
    for (const change of changes) {
      const trial = 'key' in change ? `${change.key.sweepId}/${change.key.trialId}` : '';
      if (this.#stopped.has(trial)) return `trial ${trial} has a change after its stop: ${change.kind}`;
      if (change.kind === 'rung') {
        const violated = this.#enter(change, stops.has(keyText(change.key)), policyOf, epochsOf);
        if (violated !== undefined) return violated;
      }
      if (change.kind === 'trial' || change.kind === 'retried') {
        const name = `${change.sweepId}/${change.trialId}`;
        if (this.#stopped.has(name)) return `trial ${name} has a change after its stop: ${change.kind}`;
        if (change.kind === 'trial' && change.state === 'stopped') this.#stopped.add(name);
      }
    }
    return undefined;
  }

  #enter(
    { key, rung, step, value }: Entry,
    stops: boolean,
    policyOf: (sweepId: string) => SweepPolicy | undefined,
    epochsOf: (sweepId: string, trialId: string) => number,
  ): string | undefined {
    const name = `${key.sweepId}/${key.trialId}/${rung}`;
    if (this.#entered.has(name)) return `trial ${key.sweepId}/${key.trialId} entered rung ${rung} twice`;
    this.#entered.add(name);
    const at = `${key.sweepId}/${rung}`;
    const values = [...(this.#values.get(at) ?? []), value];
    this.#values.set(at, values);
    const policy = policyOf(key.sweepId);
    const rule = policy?.earlyTerminate;
    if (policy === undefined || rule?.type !== 'asha') return undefined;
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
