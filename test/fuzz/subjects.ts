/** Where coordinator and agents listen on NATS, as their permissions say it. */
import { agentPermissions, coordinatorPermissions, poolOffers } from '../../proto/subjects.ts';
import type { Random } from '../support/random.ts';

const STRANGE = ['nobody', 'x'.repeat(200), '-', '$', '..', '\u00e9', '0', 'NaN', '__proto__'];

/** Every pattern of subjects that somebody of trawl listens to, or pulls from. */
export function patterns(agentId: string, pool: string): string[] {
  return [...coordinatorPermissions().subscribe, ...agentPermissions(agentId).subscribe, poolOffers('*', pool)];
}

/**
 * A subject that fits the pattern: in half of the cases the one that is listened to.
 * @param stars what its stars stand for then, in order
 * @param known what else may well be a part of a subject
 */
export function subjectOf(pattern: string, stars: readonly string[], known: readonly string[], random: Random): string {
  const right = random.next() < 0.5 ? [...stars] : [];
  const token = () => right.shift() ?? (random.next() < 0.7 ? random.pick(known) : random.pick(STRANGE));
  return pattern
    .split('.')
    .flatMap((part) => {
      if (part === '*') return token();
      return part === '>' ? Array.from({ length: random.pick([1, 2, 3, 3, 3, 8]) }, token) : part;
    })
    .join('.');
}
