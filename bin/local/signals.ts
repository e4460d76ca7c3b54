/** Handles the signals that stop a long-running verb. */
import { EXIT, type ExitCode } from '../../proto/errors.ts';

/** The exit code that corresponds to the signal. */
export interface Interruption {
  readonly code: ExitCode;
}

/**
 * Returns a promise for the first SIGINT or SIGTERM and a promise for the second signal. A third signal ends the
 * process immediately.
 */
export function untilSignals(): { readonly first: Promise<Interruption>; readonly second: Promise<void> } {
  const second = new Promise<void>((resolve) => {
    let count = 0;
    const listener = () => {
      count += 1;
      if (count === 2) resolve();
      if (count > 2) process.exit(EXIT.interrupted);
    };
    process.on('SIGINT', listener);
    process.on('SIGTERM', listener);
  });
  const first = new Promise<Interruption>((resolve) => {
    process.once('SIGINT', () => resolve({ code: EXIT.interrupted }));
    process.once('SIGTERM', () => resolve({ code: EXIT.done }));
  });
  return { first, second };
}

/** Resolves at the first SIGINT or SIGTERM. A second signal ends the process immediately. */
export async function untilSignal(): Promise<Interruption> {
  const { first, second } = untilSignals();
  void second.then(() => process.exit(EXIT.interrupted));
  return first;
}
