/** `trawl` in a pseudo-terminal, for tests: keys go in, and the visible screen comes out. */

import { onTestFinished } from 'vitest';
import { errorMessage } from '../../lib/text/error-message.ts';
import { PseudoTerminal, type TerminalOptions } from './pseudo-terminal.ts';
import { environment } from './trawl.ts';
import { until } from './until.ts';

export class TestTerminal extends PseudoTerminal {
  /** Starts a command, which is killed at the end of the test. */
  constructor(args: readonly string[], { env = {}, ...options }: TerminalOptions = {}) {
    super(args, { ...options, env: { ...environment(), LANG: 'C.UTF-8', ...env } });
    onTestFinished(async () => {
      if (!this.gone) this.kill('SIGKILL');
      await this.exited;
    });
  }

  /** Waits until the screen contains the text. */
  async sees(what: string | RegExp): Promise<string> {
    const found = () => {
      const text = this.lines().join('\n');
      return (typeof what === 'string' ? text.includes(what) : what.test(text)) && text;
    };
    try {
      return await until(`the screen shows ${what}`, found);
    } catch (error) {
      throw new Error(`${errorMessage(error)}; it shows:\n${this.lines().join('\n')}`);
    }
  }
}
