/** The parts of the screen, in lines. */
import type { Size } from '../terminal.ts';

export const HEADER_LINES = 6;
const FOOTER_LINES = 2;

/** With fewer rows, only the body is shown. */
const LEAST_ROWS = HEADER_LINES + FOOTER_LINES + 3;

export const hasHeader = ({ rows }: Size): boolean => rows >= LEAST_ROWS;

/** Returns the number of lines between header and footer. */
export const bodyLines = (size: Size): number =>
  hasHeader(size) ? size.rows - HEADER_LINES - FOOTER_LINES : size.rows;
