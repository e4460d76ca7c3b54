import { CommanderError } from 'commander';
import { errorMessage } from '../lib/text/error-message.ts';
import { visibleLines } from '../lib/text/visible-text.ts';
import { EXIT, TrawlError } from '../proto/errors.ts';

export interface FailureReport {
  readonly exitCode: number;
  /** For stderr; undefined where it has been said already. */
  readonly text: string | undefined;
}

/** Exit code of a fault of trawl's own. The same as "finished with failed trials": a script must stop at either. */
export const EXIT_FAULT = 1;

/** What to say of an error that ends a command, and with which code. The stack is for --debug only. */
export function reportFailure(error: unknown, debug: boolean): FailureReport {
  if (error instanceof CommanderError) {
    // Commander has printed its message; help and version are no errors.
    return { exitCode: error.exitCode === 0 ? EXIT.done : EXIT.badInput, text: undefined };
  }
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') {
    // `trawl trials | head`: whoever read has read enough.
    return { exitCode: EXIT.done, text: undefined };
  }
  const message = errorMessage(error);
  const stack = debug && error instanceof Error ? `\n${stackOf(error)}` : '';
  if (error instanceof TrawlError)
    return { exitCode: error.exitCode, text: visibleLines(`trawl: ${message}${stack}\n`) };
  const advice = debug ? '' : ' (this is a fault of trawl; --debug shows where)';
  return { exitCode: EXIT_FAULT, text: visibleLines(`trawl: ${message}${advice}${stack}\n`) };
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
