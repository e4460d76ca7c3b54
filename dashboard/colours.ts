import chalk from 'chalk';
import type { TerminalStyle } from './terminal.ts';

/** Ink draws with chalk, which knows the terminal but not the user's choice. Bold, dim and reverse need level 1. */
export function setColours({ colour, plain }: TerminalStyle): void {
  chalk.level = plain ? 0 : colour ? 2 : 1;
}
