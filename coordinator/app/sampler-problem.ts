/**
 * Checks the sampler of a sweep before the sweep is submitted. Starts the sampler's Python process, and asks it for the
 * first suggestion of an empty study.
 */
import type { SweepSpec } from '../grid/spec.ts';
import { studyOf } from '../grid/trials.ts';
import { readAnswer, requestLine } from '../search/optuna/messages.ts';
import type { StartProcess } from '../search/optuna/process.ts';

/**
 * The time after which a check ends without a result. Python needs some seconds to load PyTorch, and a client that
 * submits a sweep waits for at most one minute.
 */
const CHECK_TIMEOUT_MS = 20_000;

export interface CheckOptions {
  /** The Python interpreter for a sweep whose file does not name an interpreter. */
  readonly python: string;
  readonly start: StartProcess;
  /** Default: CHECK_TIMEOUT_MS */
  readonly timeoutMs?: number;
}

/**
 * Returns the reason why the sampler of a sweep cannot run, such as a missing package or an invalid option. Undefined if
 * the sampler works, if the sweep needs none, or if the sampler does not answer in time.
 */
export async function samplerProblem(
  spec: Pick<SweepSpec, 'search' | 'objectives' | 'metric' | 'when'>,
  { python: usual, start, timeoutMs = CHECK_TIMEOUT_MS }: CheckOptions,
): Promise<string | undefined> {
  const { search } = spec;
  if (search?.method !== 'optuna') return undefined;
  const python = search.python ?? usual;
  const settings = studyOf(spec, search);
  return new Promise((resolve) => {
    const finish = (problem: string | undefined) => {
      clearTimeout(timer);
      child.end();
      resolve(problem);
    };
    const timer = setTimeout(() => finish(undefined), timeoutMs);
    const child = start(python, {
      onLine: (line) => finish(readAnswer(line, python).problem),
      onEnd: (reason) => finish(reason),
    });
    child.send(requestLine(0, [], undefined, settings));
  });
}
