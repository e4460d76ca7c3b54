/** Groups the trials of a population (`method: pbt`) by member, so that the lineage of the population can be drawn. */
import type { Trial } from '../../proto/gen/trawl/v1/types.ts';

/**
 * A trial, and the epochs that it spent in the population: from its start to its replacement or, if it was not
 * replaced, to its last epoch.
 */
export interface Life<T> {
  readonly trial: T;
  /** The epoch of the checkpoint from which the trial started; 0 for a trial that started from scratch. */
  readonly from: number;
  /** The last epoch, or the epoch at which the trial was replaced; at least `from`. */
  readonly to: number;
  /**
   * The index of the member that the parent belongs to. Undefined if the trial started from scratch or its parent is
   * unknown.
   */
  readonly parent: number | undefined;
}

/** A place in the population: its first trial, followed by each child that replaced the trial before it. */
export type Member<T> = readonly Life<T>[];

type LineageTrial = Pick<Trial, 'id' | 'index' | 'epoch' | 'origin'>;

/**
 * Returns the members of a population in the order of their first trials. A child is added to the member whose trial it
 * replaces. If the replaced trial is unknown, the child starts a new member.
 */
export function membersOf<T extends LineageTrial>(trials: readonly T[]): Member<T>[] {
  const members: Life<T>[][] = [];
  const memberOf = new Map<string, number>();
  for (const trial of trials.toSorted((a, b) => a.index - b.index)) {
    const { id, epoch, origin } = trial;
    const from = origin?.epoch ?? 0;
    const at = (origin && memberOf.get(origin.replaces)) ?? members.length;
    const lives = members[at] ?? [];
    const replaced = lives.pop();
    // The life of the replaced trial ends at the epoch at which the child starts. The replaced trial may have reported
    // further epochs before it was held.
    if (replaced !== undefined) lives.push({ ...replaced, to: Math.max(replaced.from, Math.min(replaced.to, from)) });
    lives.push({ trial, from, to: Math.max(from, epoch), parent: origin && memberOf.get(origin.parent) });
    members[at] = lives;
    memberOf.set(id, at);
  }
  return members;
}

/**
 * Returns one epoch for a trial and for each of its ancestors, by trial id. For the trial itself, this is its last
 * epoch. For an ancestor, it is the epoch of the checkpoint from which its child started. The map is empty if the trial
 * is undefined.
 */
export function ancestryOf(trials: readonly LineageTrial[], trial: LineageTrial | undefined): Map<string, number> {
  const byId = new Map(trials.map((one) => [one.id, one]));
  const until = new Map<string, number>();
  let ancestor = trial;
  let epoch = trial?.epoch ?? 0;
  while (ancestor !== undefined && !until.has(ancestor.id)) {
    until.set(ancestor.id, epoch);
    epoch = ancestor.origin?.epoch ?? 0;
    ancestor = byId.get(ancestor.origin?.parent ?? '');
  }
  return until;
}
