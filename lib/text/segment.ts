import type { Style } from './style.ts';
import { columnsOf } from './width.ts';

/** A piece of a line in one style. Its text is safe to print and has no line break. */
export interface Segment {
  readonly text: string;
  readonly style?: Style | undefined;
  /** For a piece of an image: the gray levels of the foreground and the background, from 0 (black) to 23 (white). */
  readonly grays?: readonly [front: number, back: number] | undefined;
}

export const widthOf = (segments: readonly Segment[]): number =>
  segments.reduce((sum, { text }) => sum + columnsOf(text), 0);
