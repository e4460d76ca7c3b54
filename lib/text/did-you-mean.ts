/** The name that was probably meant. */

/** Edits that a name of so many characters may be away and still be what was meant: one in three, at least one. */
const CHARACTERS_AN_EDIT = 3;

/** `; did you mean "x"?`, or nothing when no candidate is near. */
export function didYouMean(written: string, candidates: readonly string[]): string {
  const name = nearest(written, candidates);
  return name === undefined ? '' : `; did you mean "${name}"?`;
}

/** A beginning this long is enough to tell which name was meant: `lat` for `latent_dim`, `crashes` for `crash`. */
const SHORTEST_BEGINNING = 3;

/**
 * The candidate fewest edits away, the first of equals; else the first of which one is the other's beginning.
 * Case and the difference of `-` and `_` cost nothing.
 */
export function nearest(written: string, candidates: readonly string[]): string | undefined {
  let best: { name: string; distance: number } | undefined;
  for (const name of candidates) {
    const allowed = Math.max(1, Math.floor(name.length / CHARACTERS_AN_EDIT));
    if (Math.abs(name.length - written.length) > allowed) continue;
    const distance = editDistance(fold(written), fold(name));
    if (distance <= allowed && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name ?? candidates.find((name) => oneBeginsTheOther(fold(written), fold(name)));
}

function oneBeginsTheOther(a: string, b: string): boolean {
  return Math.min(a.length, b.length) >= SHORTEST_BEGINNING && (a.startsWith(b) || b.startsWith(a));
}

function fold(name: string): string {
  return name.toLowerCase().replaceAll('-', '_');
}

/** Optimal string alignment distance: insertions, deletions, substitutions, and swaps of neighbours, each one edit. */
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
