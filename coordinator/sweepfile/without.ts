/** A file's data without the parts that are wrong. */
import type { Path } from './locate.ts';

/**
 * Leaves out the top-level keys that the paths lead into; of parameters only the ones concerned, so that the others
 * are still checked. Paths to nothing (a missing key) leave out nothing.
 */
export function without(data: unknown, paths: readonly Path[]): unknown {
  if (!isMapping(data)) return data;
  const wrong = new Set(paths.filter((path) => !inParameters(path)).map(([top]) => top));
  const wrongParameters = new Set(paths.filter(inParameters).map(([, name]) => name));
  const kept = Object.entries(data).filter(([key]) => !wrong.has(key));
  return Object.fromEntries(
    kept.map(([key, value]) => {
      if (key !== 'parameters' || !isMapping(value)) return [key, value];
      return [key, Object.fromEntries(Object.entries(value).filter(([name]) => !wrongParameters.has(name)))];
    }),
  );
}

function inParameters(path: Path): boolean {
  return path[0] === 'parameters' && path.length > 1;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
