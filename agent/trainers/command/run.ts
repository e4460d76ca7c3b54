/** The trainer `command`: each attempt is one run of a user's program. */

import { constants } from 'node:os';
import { settlesWithin } from '../../../lib/net/within.ts';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import { argumentsOf, environmentOf, findProgram, makeFolders } from './invocation.ts';
import { keepArtifacts } from './kept-files.ts';
import { EXAMPLE_LINE } from './metric-line.ts';
import { type AttemptLog, follow, readMetricsFile, readStderr, readStdout, StderrTail, workerLog } from './output.ts';
import { type Exit, Program, STOP_GRACE_S } from './program.ts';
import { Reports } from './reports.ts';

/** How long output is read after the program has exited, in case a daemon that it left behind holds the pipe open. */
const DRAIN_MS = 30_000;

export async function command(run: TrainingRun, log: AttemptLog = workerLog): Promise<void> {
  run.signal.throwIfAborted();
  const { parameters, seed, workdir } = run;
  const [name = '', ...rest] = argumentsOf(run.command, { parameters, seed, environment: process.env });
  const path = await findProgram(name, workdir, process.env.PATH);
  const folders = await makeFolders(run.dir);
  const environment = environmentOf(run, folders, process.env);
  const program = startProgram({ command: [path, ...rest], workdir, environment, graceS: STOP_GRACE_S });
  const stop = () => program.stop();
  run.signal.addEventListener('abort', stop, { once: true });
  if (run.signal.aborted) stop();

  const reports = new Reports(run, folders, log);
  const stderrTail = new StderrTail();
  const exited = new AbortController();
  // An invalid report stops the program, but its output is read to the end.
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    program.stop();
  };
  const takeReport = async (line: string) => {
    if (failure !== undefined || run.signal.aborted) return false;
    return (await reports.take(line).catch(fail)) === true;
  };
  const reading = Promise.all([
    readStdout(program.stdout, takeReport, log),
    readStderr(program.stderr, stderrTail, log),
    readMetricsFile(follow(folders.metrics, exited.signal), takeReport, log),
  ]).catch(fail);
  try {
    const exit = await program.exited.finally(() => exited.abort());
    run.signal.throwIfAborted();
    if (!(await settlesWithin(DRAIN_MS, reading))) {
      log.note('a process that the program left behind holds its output open: the output is not read any further');
    }
    run.signal.throwIfAborted();
    if (failure === undefined) await keepArtifacts(run, folders.artifacts, log);
    failure ??= exitFailure(exit, name, stderrTail.lines);
    if (failure !== undefined) throw failure;
    // An attempt that resumes after the last epoch has nothing left to report.
    if (reports.count === 0 && run.resume === undefined) throw noReports(name);
  } finally {
    run.signal.removeEventListener('abort', stop);
    program.stdout.destroy();
    program.stderr.destroy();
    // Keep and report nothing after this function has returned.
    await reading;
  }
}

function startProgram(start: ConstructorParameters<typeof Program>[0]): Program {
  try {
    return new Program(start);
  } catch (error) {
    const reason = errorMessage(error);
    throw new TrainingError('preflight', `could not start ${start.command[0]} in ${start.workdir}: ${reason}`);
  }
}

/**
 * Returns the failure of a program with a nonzero exit code; undefined when it succeeded. The message has the last line
 * of stderr first, because a traceback ends with its cause, and the lines before it below.
 */
function exitFailure({ code, signal }: Exit, name: string, stderr: readonly string[]): TrainingError | undefined {
  if (code === 0) return undefined;
  const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
  // A shell exits with 128 + the number of the signal that killed its child.
  const isKilled = signal === 'SIGKILL' || code === 128 + constants.signals.SIGKILL;
  const hint = isKilled ? ' (possibly out of memory: the kernel kills programs then)' : '';
  const cause = stderr.length === 0 ? ', with no output on stderr' : `: ${stderr.at(-1)}`;
  const context = stderr.length > 1 ? `\nstderr:\n${stderr.join('\n')}` : '';
  return new TrainingError('crash', `${name} ${how}${hint}${cause}${context}`);
}

function noReports(name: string): TrainingError {
  return new TrainingError(
    'rejected',
    `${name} exited with code 0 but reported no metrics: it must print one line of JSON per epoch, for example ` +
      `${EXAMPLE_LINE}, on stdout or into the file TRAWL_METRICS`,
  );
}
