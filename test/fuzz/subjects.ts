/** The NATS subjects to which the coordinator and the agents may subscribe, according to their permissions. */
import { agentPermissions, coordinatorPermissions, poolOffers } from '../../proto/subjects.ts';
import type { TestRandom } from '../support/random.ts';

const STRANGE = ['nobody', 'x'.repeat(200), '-', '$', '..', '\u00e9', '0', 'NaN', '__proto__'];

/** Every subject pattern that trawl subscribes to or pulls from. */
export function patterns(agentId: string, pool: string): string[] {
  return [...coordinatorPermissions().subscribe, ...agentPermissions(agentId).subscribe, poolOffers('*', pool)];
}

/**
 * Returns a random subject that matches the pattern. In half of the subjects, the tokens in `stars` replace the first
 * wildcards of the pattern. Tokens from `known`, or strange tokens, replace all other wildcards.
 * @param stars the tokens of a subject that is in use, in the order of the wildcards
 * @param known plausible tokens
 */
export function subjectOf(
  pattern: string,
  stars: readonly string[],
  known: readonly string[],
  random: TestRandom,
): string {
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
