import type { Segment } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';

export interface StyledLine {
  readonly segments: readonly Segment[];
  /** Whether the cursor is on this line. Such a line is drawn in reverse over the full width. */
  readonly cursor?: boolean | undefined;
  /** An image that a terminal with graphics draws here, over the lines that follow. */
  readonly spot?: ImageSpot | undefined;
}

interface ImageSpot {
  /** The number under which the terminal stores the image. */
  readonly number: number;
  readonly png: Uint8Array;
  /** The left column, counted from 0. */
  readonly column: number;
  readonly columns: number;
  readonly lines: number;
}

/** An image and its line, counted from 0. */
export interface PlacedImage extends ImageSpot {
  readonly row: number;
}

export const EMPTY_LINE: StyledLine = { segments: [] };

export const styledLine = (text: string, style?: Style): StyledLine => ({ segments: [{ text, style }] });
