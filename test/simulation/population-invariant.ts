/**
 * The invariants of population based training, which are checked on durable changes only. A child starts from the
 * newest checkpoint of a live parent. It replaces a member that has failed, or a member that is stopped in the commit
 * that creates the child. No member is replaced twice, and no member is stopped without a replacement. The number of
 * live members never exceeds the population.
 */
import type { Change } from '../../coordinator/core/step.ts';
import type { PopulationSettings } from '../../coordinator/early-stop/settings.ts';

type ChangeOf<K extends Change['kind']> = Extract<Change, { readonly kind: K }>;

interface Member {
  state: 'live' | 'failed' | 'ended';
  /**
   * The newest checkpoint, as ATTEMPT/EPOCH. ATTEMPT is 0 if the member inherited the checkpoint from its parent. Empty
   * if the member has no checkpoint.
   */
  checkpoint: string;
}

/** The invariants of one sweep. */
export class PopulationInvariant {
  readonly #settings: PopulationSettings;
  readonly #members = new Map<string, Member>();
  readonly #replaced = new Set<string>();
  readonly reached: Set<string>;

  constructor(settings: PopulationSettings, reached: Set<string>) {
    this.#settings = settings;
    this.reached = reached;
  }

  /** Returns the first violated invariant of a commit. */
  take(changes: readonly Change[]): string | undefined {
    const stopped = new Set(
      changes.flatMap((one) => (one.kind === 'trial' && one.state === 'stopped' ? one.trialId : [])),
    );
    for (const change of changes) {
      const violated = change.kind === 'inherited' ? this.#inherit(change, stopped) : this.#follow(change);
      if (violated !== undefined) return violated;
    }
    for (const trialId of stopped) {
      if (!this.#replaced.has(trialId)) return `member ${trialId} was stopped without a child that replaces it`;
    }
    const live = [...this.#members.values()].filter(({ state }) => state === 'live').length;
    return live <= this.#settings.population ? undefined : `${live} members are live`;
  }

  #inherit({ trial, origin }: ChangeOf<'inherited'>, stopped: ReadonlySet<string>): string | undefined {
    const { parent, replaces, checkpoint } = origin;
    const newest = this.#member(parent);
    if (newest.state !== 'live' || stopped.has(parent)) return `${parent} has a child, but is not live`;
    const start = `${checkpoint.attempt}/${checkpoint.epoch}`;
    if (start !== newest.checkpoint) return `a child of ${parent} starts from ${start}, not from ${newest.checkpoint}`;
    if (this.#replaced.has(replaces)) return `member ${replaces} was replaced twice`;
    const hasFailed = this.#member(replaces).state === 'failed';
    if (!hasFailed && !stopped.has(replaces))
      return `member ${replaces} was replaced, but had neither failed nor been stopped`;
    if (this.#members.has(trial.trialId)) return `child ${trial.trialId} was created twice`;
    this.#replaced.add(replaces);
    this.#members.set(trial.trialId, { state: 'live', checkpoint: `0/${checkpoint.epoch}` });
    this.reached.add(hasFailed ? 'a child that replaces a failed member' : 'a child that replaces a stopped member');
    return undefined;
  }

  #follow(change: Change): string | undefined {
    if (change.kind === 'created') this.#member(change.trial.trialId);
    if (change.kind === 'artifact' && change.artifact.kind === 'checkpoint') {
      this.#member(change.key.trialId).checkpoint = `${change.key.attempt}/${change.artifact.epoch}`;
    }
    if (change.kind === 'granted' && this.#member(change.key.trialId).checkpoint.startsWith('0/')) {
      this.reached.add('a child that starts');
      if (change.resumedFrom === 0) return `child ${change.key.trialId} starts without the checkpoint of its parent`;
    }
    if (change.kind === 'retried') {
      if (this.#replaced.has(change.trialId)) return `member ${change.trialId} was retried after it was replaced`;
      this.#member(change.trialId).state = 'live';
      if (change.resumesFrom === 0) this.#member(change.trialId).checkpoint = '';
    }
    if (change.kind !== 'trial') return undefined;
    const member = this.#member(change.trialId);
    if (change.state === 'failed') member.state = 'failed';
    else if (change.state === 'succeeded' || change.state === 'stopped' || change.state === 'cancelled') {
      member.state = 'ended';
    } else member.state = 'live';
    return undefined;
  }

  #member(trialId: string): Member {
    const member = this.#members.get(trialId) ?? { state: 'live', checkpoint: '' };
    this.#members.set(trialId, member);
    return member;
  }
}
