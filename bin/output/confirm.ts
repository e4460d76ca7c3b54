/** Asks for a confirmation on the terminal. */
import { createInterface } from 'node:readline/promises';
import { visibleText } from '../../lib/text/visible-text.ts';

/** Whether a user can answer a question. */
export const hasTerminal = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

/** Asks on the terminal. Any answer except y and yes means no, and so does Ctrl-C. */
export async function confirm(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const interrupted = new AbortController();
  terminal.on('SIGINT', () => interrupted.abort());
  try {
    const answer = await terminal.question(`${visibleText(question)} [y/N] `, { signal: interrupted.signal });
    return /^y(es)?$/i.test(answer.trim());
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    process.stderr.write('\n');
    return false;
  } finally {
    terminal.close();
  }
}
