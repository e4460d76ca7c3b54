import wrapAnsi from 'wrap-ansi';
import { type Segment, widthOf } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { columnsOf, truncate } from '../../lib/text/width.ts';
import { type StyledLine, styledLine } from './line.ts';

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

/** Places blocks of lines side by side with the given widths, two columns apart. */
export function sideBySide(blocks: readonly (readonly StyledLine[])[], widths: readonly number[]): StyledLine[] {
  const height = Math.max(0, ...blocks.map((block) => block.length));
  const starts = widths.map((_, at) => widths.slice(0, at).reduce((sum, width) => sum + width + BETWEEN, 0));
  return Array.from({ length: height }, (_, row): StyledLine => {
    const spots = blocks.flatMap((block, at) => {
      const spot = block[row]?.spot;
      return spot === undefined ? [] : [{ ...spot, column: spot.column + (starts[at] ?? 0) }];
    });
    return {
      segments: blocks.flatMap((block, at) => {
        const width = widths[at] ?? 0;
        const segments = clip(block[row]?.segments ?? [], width);
        if (at === blocks.length - 1) return segments;
        return [...segments, { text: ' '.repeat(width - widthOf(segments) + BETWEEN) }];
      }),
      spot: spots[0],
    };
  });
}

const BETWEEN = 2;

/**
 * Wraps text at spaces. Words wider than a line stay whole, and spaces before the first word are kept.
 * @param indent put before every line but the first
 */
export function wrapped(text: string, columns: number, style?: Style, indent = ''): StyledLine[] {
  const words = visibleText(text).trimStart();
  const lead = ' '.repeat(visibleText(text).length - words.length);
  const room = Math.max(1, columns - Math.max(lead.length, columnsOf(indent)));
  const rows = wrapAnsi(words, room).split('\n');
  return rows.filter((row) => row.trim() !== '').map((row, at) => styledLine((at === 0 ? lead : indent) + row, style));
}
