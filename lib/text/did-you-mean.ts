/** Suggests corrections of misspelled names. */

/**
 * The number of characters of a candidate for each permitted edit. For example, a candidate with six characters may
 * differ from the written name by two edits. One edit is always permitted.
 */
const CHARACTERS_PER_EDIT = 3;

/** Returns `; did you mean "x"?`, or an empty string if no candidate is close. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  const name = nearest(written, candidates);
  return name === undefined ? '' : `; did you mean "${name}"?`;
}

/** The minimum length of a prefix that counts as a match: `lat` matches `latent_dim`, and `crash` matches `crashes`. */
const MIN_PREFIX = 3;

/**
 * Returns the candidate with the fewest edits. If no candidate is close enough, returns the first candidate that is a
 * prefix of the name or has the name as a prefix. Upper and lower case are treated alike, and `-` is treated as `_`.
 */
export function nearest(written: string, candidates: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const name of candidates) {
    const allowed = Math.max(1, Math.floor(name.length / CHARACTERS_PER_EDIT));
    if (Math.abs(name.length - written.length) > allowed) continue;
    const distance = editDistance(fold(written), fold(name));
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name ?? candidates.find((name) => isPrefixOfEither(fold(written), fold(name)));
}

function isPrefixOfEither(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= MIN_PREFIX && (a.startsWith(b) || b.startsWith(a));
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

/**
 * Returns the optimal string alignment distance: insertions, deletions, substitutions and transpositions cost 1 each.
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row++) {
    const current = [row];
    for (let column = 1; column <= b.length; column++) {
      const same = a[row - 1] === b[column - 1];
      let cost = Math.min(
        (above[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (above[column - 1] ?? 0) + (same ? 0 : 1),
      );
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      if (swapped) cost = Math.min(cost, (before[column - 2] ?? 0) + 1);
      current.push(cost);
    }
    before = above;
    above = current;
  }
  return above[b.length] ?? 0;
}
