/** Long-running verbs end on SIGINT, SIGTERM, or when what they serve breaks. */
import { EXIT, type ExitCode } from '../../proto/errors.ts';

export interface Ending {
  readonly code: ExitCode;
}

/** One promise for the first signal, one for the second; a third ends the process at once. */
export function untilSignals(): { readonly first: Promise<Ending>; readonly second: Promise<void> } {
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
  const first = new Promise<Ending>((resolve) => {
    process.once('SIGINT', () => resolve({ code: EXIT.interrupted }));
    process.once('SIGTERM', () => resolve({ code: EXIT.done }));
  });
  return { first, second };
}

/** Resolves at the first signal; a second one ends the process at once. */
export function untilSignal(): Promise<Ending> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (code: ExitCode) => () => {
      if (asked) process.exit(EXIT.interrupted);
      asked = true;
      resolve({ code });
    };
    process.on('SIGINT', onSignal(EXIT.interrupted));
    process.on('SIGTERM', onSignal(EXIT.done));
  });
}
