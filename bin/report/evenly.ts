/** At most so many, evenly spaced, the first and the last among them. */
export function evenly<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, i) => all[Math.round((i * (all.length - 1)) / (most - 1))]).flatMap((of) =>
    of === undefined ? [] : [of],
  );
}
