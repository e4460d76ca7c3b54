import { CommanderError } from 'commander';
import { pathProblem, shownPath } from '../lib/files/folder.ts';
import { errorMessage } from '../lib/text/error-message.ts';
import { visibleLines } from '../lib/text/visible-text.ts';
import { EXIT, EXIT_CANNOT_WRITE, isDiskFull, TrawlError } from '../proto/errors.ts';

export interface FailureReport {
  readonly exitCode: number;
  /** Text for stderr; undefined if a message was already printed, or none is needed. */
  readonly text: string | undefined;
}

/** Exit code of an internal error, the same as for failed trials, because scripts must stop in both cases. */
export const EXIT_INTERNAL_ERROR = 1;

/** Returns the message and the exit code for an error that ends a command. The stack is included with --debug only. */
export function reportFailure(error: unknown, debug: boolean): FailureReport {
  if (error instanceof CommanderError) {
    // Commander has printed the message. --help and --version also end here, with exit code 0.
    return { exitCode: error.exitCode === 0 ? EXIT.done : EXIT.badInput, text: undefined };
  }
  if (error instanceof Error && 'code' in error && error.code === 'EPIPE') {
    return { exitCode: EXIT.done, text: undefined };
  }
  const stack = debug && error instanceof Error ? `\n${stackOf(error)}` : '';
  const text = (message: string) => visibleLines(`trawl: ${message}${stack}\n`);
  const message = errorMessage(error);
  if (error instanceof TrawlError) return { exitCode: error.exitCode, text: text(message) };
  if (isDiskFull(error)) {
    return { exitCode: EXIT_CANNOT_WRITE, text: text(`the disk is full: ${message}; free some space and retry`) };
  }
  const reason = pathProblem(error);
  if (reason !== undefined && error instanceof Error && 'path' in error) {
    return { exitCode: EXIT.badInput, text: text(`cannot use ${shownPath(`${error.path}`)}: ${reason}`) };
  }
  const hint = debug ? '' : ' (internal error; --debug prints the stack)';
  return { exitCode: EXIT_INTERNAL_ERROR, text: text(`${message}${hint}`) };
}

function stackOf(error: Error): string {
  const cause = error.cause instanceof Error ? `\ncaused by ${stackOf(error.cause)}` : '';
  return `${error.stack ?? error.message}${cause}`;
}
