import { type Segment, widthOf } from './segment.ts';
import { columnsOf, truncate } from './width.ts';

/** Cuts segments to `width` columns, with an ellipsis at the cut. */
export function clip(segments: readonly Segment[], width: number): Segment[] {
  if (widthOf(segments) <= width) return [...segments];
  const kept: Segment[] = [];
  let left = width;
  for (const segment of segments) {
    const own = columnsOf(segment.text);
    if (own < left) {
      kept.push(segment);
      left -= own;
      continue;
    }
    kept.push({ ...segment, text: truncate(own === left ? `${segment.text} ` : segment.text, left) });
    break;
  }
  return kept;
}
