import chalk from 'chalk';
import type { TerminalStyle } from './terminal.ts';

/**
 * Sets the color level of chalk, with which Ink draws. chalk detects the terminal, but does not know whether the user
 * wants colors. At level 0, chalk also omits bold, dim and reverse video, so level 0 is only for plain text. A terminal
 * without colors gets level 1, so that these styles still work.
 */
export function setColors({ color, plain }: TerminalStyle): void {
  chalk.level = plain ? 0 : color ? 2 : 1;
}
