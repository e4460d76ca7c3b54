/** Fits the parts of a line into a width: the least important parts become shorter, and then disappear. */
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';

export interface Part {
  /**
   * The possible texts of the part, the longest first. An empty text at the end means that the part can be omitted.
   */
  readonly forms: readonly [string, ...string[]];
  readonly style?: Style | undefined;
  /** A part with a lower rank becomes shorter first. */
  readonly rank: number;
}

/**
 * Returns the parts in forms that fit, with a separator between the parts. If even the shortest forms are too wide, the
 * line is wider than `columns`.
 */
export function fitParts(parts: readonly Part[], separator: string, columns: number): Segment[] {
  const shown = parts.map(() => 0);
  const line = () => joined(parts, shown, separator);
  for (let segments = line(); widthOf(segments) > columns; segments = line()) {
    const next = leastImportant(parts, shown);
    if (next === undefined) return segments;
    shown[next] = (shown[next] ?? 0) + 1;
  }
  return line();
}

function leastImportant(parts: readonly Part[], shown: readonly number[]): number | undefined {
  const shorter = [...parts.keys()].filter((i) => (shown[i] ?? 0) + 1 < (parts[i]?.forms.length ?? 0));
  const rankOf = (i: number) => parts[i]?.rank ?? 0;
  return shorter.sort((a, b) => rankOf(a) - rankOf(b))[0];
}

function joined(parts: readonly Part[], shown: readonly number[], separator: string): Segment[] {
  const segments = parts.flatMap(({ forms, style }, i): Segment[] => {
    const text = forms[shown[i] ?? 0] ?? '';
    return text === '' ? [] : [{ text, style }];
  });
  return segments.flatMap((segment, i) => (i === 0 ? [segment] : [{ text: separator, style: 'dim' }, segment]));
}
