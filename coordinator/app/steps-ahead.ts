/**
 * Computes the next steps of a trial source in advance, so that a single query can find out which of the trials of
 * these steps the store already has. Used only for searches whose points do not depend on results.
 */
import type { SourceState, SourceStep } from '../search/trial-source.ts';

/** The maximum numbers of points and of new trials that are computed before each query of the store. */
const MAX_POINTS = 5_000;
const MAX_TRIALS = 256;
/** Further steps are computed when fewer than this number of steps are left. */
const MIN_STEPS = 64;

type NextStep = (state: SourceState, isKnown: (trialId: string) => boolean) => SourceStep;

interface Ahead {
  readonly before: SourceState;
  readonly step: SourceStep;
  /**
   * The id of the trial at the point of the step. The step has the kind `dropped` if this trial already exists.
   * Undefined if the step has no such trial, for example because `exclude` drops its point.
   */
  readonly trialId: string | undefined;
}

/** Returns a list with the id of the trial that a step creates. The list is empty if the step creates no trial. */
function createdId({ step }: Ahead): string[] {
  return step.kind === 'trial' ? [step.trial.trialId] : [];
}

export class StepsAhead {
  readonly #next: NextStep;
  readonly #findStored: (trialIds: readonly string[]) => Promise<ReadonlySet<string>>;
  #steps: Ahead[] = [];
  #isExhausted = false;

  /** @param findStored returns the ids of the given trials that the store already has */
  constructor(next: NextStep, findStored: (trialIds: readonly string[]) => Promise<ReadonlySet<string>>) {
    this.#next = next;
    this.#findStored = findStored;
  }

  /** Whether the last call of `next` needed a step that was not computed in advance. */
  get isExhausted(): boolean {
    return this.#isExhausted;
  }

  /** Computes the steps that follow a state, unless enough of them are left from an earlier call. */
  async prepare(state: SourceState): Promise<void> {
    this.#isExhausted = false;
    const place = this.#steps.findIndex(({ before }) => before === state);
    this.#steps = place < 0 ? [] : this.#steps.slice(place);
    if (this.#steps.length >= MIN_STEPS) return;
    const last = this.#steps.at(-1);
    if (last !== undefined && !('state' in last.step)) return;
    const known = new Set(this.#steps.flatMap(createdId));
    for (let from = last === undefined || !('state' in last.step) ? state : last.step.state; ; ) {
      const steps = this.#compute(from, known);
      const asked = steps.flatMap((ahead) => (ahead.trialId === undefined ? [] : createdId(ahead)));
      const stored = asked.length > 0 ? await this.#findStored(asked) : new Set<string>();
      // The steps before the first stored trial remain valid. The point of the stored trial is dropped, which changes
      // the states of all later steps.
      const first = steps.find((ahead) => createdId(ahead).some((id) => stored.has(id)));
      const valid = first === undefined ? steps : steps.slice(0, steps.indexOf(first));
      this.#steps.push(...valid);
      if (first === undefined || this.#steps.length >= MIN_STEPS) return;
      for (const id of [...valid.flatMap(createdId), ...stored]) known.add(id);
      from = first.before;
    }
  }

  /** Returns the step after a state. If `prepare` has not computed the step, returns a step of the kind `wait`. */
  next(state: SourceState, isKnown: (trialId: string) => boolean): SourceStep {
    const [ahead] = this.#steps;
    this.#isExhausted = ahead?.before !== state;
    if (ahead === undefined || this.#isExhausted) return { kind: 'wait' };
    // The sweep may have created the trial since `prepare` computed the step.
    if (ahead.step.kind === 'trial' && ahead.trialId !== undefined && isKnown(ahead.trialId)) {
      this.#steps = [];
      return this.#next(state, () => true);
    }
    // The last step is kept, because a source can be asked again after its end, for example for adaptive replicates.
    if ('state' in ahead.step) this.#steps.shift();
    return ahead.step;
  }

  /** @param existing the ids of trials whose points are dropped */
  #compute(from: SourceState, existing: ReadonlySet<string>): Ahead[] {
    const steps: Ahead[] = [];
    const known = new Set(existing);
    let before = from;
    for (let trials = 0; steps.length < MAX_POINTS && trials < MAX_TRIALS; ) {
      let trialId: string | undefined;
      const step = this.#next(before, (id) => {
        trialId = id;
        return known.has(id);
      });
      steps.push({ before, step, trialId });
      if (!('state' in step)) break;
      if (step.kind === 'trial') {
        trials += 1;
        known.add(step.trial.trialId);
      }
      before = step.state;
    }
    return steps;
  }
}
