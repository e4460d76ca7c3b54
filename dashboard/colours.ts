import chalk from 'chalk';
import type { TerminalStyle } from './terminal.ts';

/**
 * Sets the colour level of chalk, with which Ink draws. chalk detects the terminal, but does not know whether the user
 * wants colours. At level 0, chalk also omits bold, dim and reverse video. Level 0 is therefore only for plain text. A
 * terminal without colours gets level 1.
 */
export function setColours({ colour, plain }: TerminalStyle): void {
  chalk.level = plain ? 0 : colour ? 2 : 1;
}
