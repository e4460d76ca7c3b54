/** Runs `trawl` in a pseudo-terminal, and ends the command when the running test ends. */

import { onTestFinished } from 'vitest';
import { errorMessage } from '../../lib/text/error-message.ts';
import { PseudoTerminal, type TerminalOptions } from './pseudo-terminal.ts';
import { environment } from './trawl.ts';
import { until } from './until.ts';

export class TestTerminal extends PseudoTerminal {
  constructor(args: readonly string[], { env = {}, ...options }: TerminalOptions = {}) {
    super(args, { ...options, env: { ...environment(), LANG: 'C.UTF-8', ...env } });
    onTestFinished(async () => {
      if (!this.gone) this.kill('SIGKILL');
      await this.exited;
    });
  }

  /**
   * Waits until the screen contains the text or matches the pattern.
   * @returns the screen
   */
  async sees(what: string | RegExp): Promise<string> {
    const found = () => {
      const text = this.lines().join('\n');
      return (typeof what === 'string' ? text.includes(what) : what.test(text)) && text;
    };
    try {
      return await until(`the screen shows ${what}`, found);
    } catch (error) {
      throw new Error(`${errorMessage(error)}; the screen shows:\n${this.lines().join('\n')}`);
    }
  }
}
