import type { Style } from './style.ts';
import { columnsOf } from './width.ts';

/** A piece of a line in one look. Its text is safe to print, and has no line break. */
export interface Segment {
  readonly text: string;
  readonly style?: Style | undefined;
  /** Greys of the foreground and background, 0 (black) to 23 (white); for pictures, which no style names. */
  readonly greys?: readonly [front: number, back: number] | undefined;
}

export interface StyledLine {
  readonly segments: readonly Segment[];
  /** Where the cursor is: drawn in reverse over the full width. */
  readonly cursor?: boolean | undefined;
  /** A picture that a terminal with graphics puts here, over the lines that follow. */
  readonly spot?: ImageSpot | undefined;
}

export interface ImageSpot {
  /** Its own; the terminal keeps the picture under it. */
  readonly number: number;
  readonly png: Uint8Array;
  /** From the left edge, from 0. */
  readonly column: number;
  readonly columns: number;
  readonly lines: number;
}

export const EMPTY_LINE: StyledLine = { segments: [] };

export const line = (text: string, style?: Style): StyledLine => ({ segments: [{ text, style }] });

export const widthOf = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { text }) => sum + columnsOf(text), 0);
