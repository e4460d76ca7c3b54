/** Long-running verbs end on SIGINT, SIGTERM, or when what they serve breaks. */
import { EXIT, type ExitCode } from '../../proto/errors.ts';

export interface Ending {
  readonly code: ExitCode;
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
