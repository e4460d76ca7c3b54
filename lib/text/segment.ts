import type { Style } from './style.ts';
import { columnsOf } from './width.ts';

/** A piece of a line in one style. Its text is safe to print and has no line break. */
export interface Segment {
  readonly text: string;
  readonly style?: Style | undefined;
  /** Greys of the foreground and background, 0 (black) to 23 (white), for images. */
  readonly greys?: readonly [front: number, back: number] | undefined;
}

export interface StyledLine {
  readonly segments: readonly Segment[];
  /** Whether the cursor is on this line: it is drawn in reverse over the full width. */
  readonly cursor?: boolean | undefined;
  /** An image that a terminal with graphics draws here, over the lines that follow. */
  readonly spot?: ImageSpot | undefined;
}

export interface ImageSpot {
  /** The number under which the terminal stores the image. */
  readonly number: number;
  readonly png: Uint8Array;
  /** The left column, from 0. */
  readonly column: number;
  readonly columns: number;
  readonly lines: number;
}

export const EMPTY_LINE: StyledLine = { segments: [] };

export const line = (text: string, style?: Style): StyledLine => ({ segments: [{ text, style }] });

export const widthOf = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { text }) => sum + columnsOf(text), 0);
