import chalk from 'chalk';
import type { TerminalStyle } from './terminal.ts';

/**
 * Ink draws with chalk. chalk detects the terminal, but does not know the user's choice. Bold, dim and reverse video
 * need level 1.
 */
export function setColours({ colour, plain }: TerminalStyle): void {
  chalk.level = plain ? 0 : colour ? 2 : 1;
}
