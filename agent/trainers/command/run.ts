/** Trainer `command`: one attempt is one run of a program of the user's own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { TrainingError, type TrainingRun } from '../trainer.ts';
import { argumentsOf } from './arguments.ts';
import { keepArtifacts } from './artifacts.ts';
import { environmentOf } from './environment.ts';
import { failureOf, LastWords } from './failure.ts';
import { findProgram } from './find-program.ts';
import { makeFolders } from './folders.ts';
import { type AttemptLog, workerLog } from './log.ts';
import { EXAMPLE_LINE } from './metric-line.ts';
import { Program, STOP_GRACE_S } from './program.ts';
import { readErrors, readMetrics, readOutput } from './reading.ts';
import { Reports } from './reports.ts';
import { tail } from './tail.ts';

/** How long what a program has printed may take to be read after its end; a daemon that it left holds the pipe open. */
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
  const lastWords = new LastWords();
  const over = new AbortController();
  // What is wrong with a line ends the program, whose output is read on to its end.
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    program.stop();
  };
  const isReport = async (line: string) => {
    if (failure !== undefined || run.signal.aborted) return false;
    return (await reports.take(line).catch(fail)) === true;
  };
  const read = Promise.all([
    readOutput(program.stdout, isReport, log),
    readErrors(program.stderr, lastWords, log),
    readMetrics(tail(folders.metrics, over.signal), isReport, log),
  ]).catch(fail);
  try {
    const exit = await program.exited.finally(() => over.abort());
    run.signal.throwIfAborted();
    if (!(await within(read, DRAIN_MS)))
      log.note('a process that the program left holds its output open: it is read no more');
    run.signal.throwIfAborted();
    if (failure === undefined) await keepArtifacts(run, folders.artifacts, log);
    failure ??= failureOf(exit, { name, lastWords: lastWords.text });
    if (failure !== undefined) throw failure;
    // An attempt that goes on after the last epoch has nothing left to report.
    if (reports.count === 0 && run.resume === undefined) throw silent(name);
  } finally {
    run.signal.removeEventListener('abort', stop);
    program.stdout.destroy();
    program.stderr.destroy();
    // Nothing is kept or reported once this has returned.
    await read;
  }
}

function startProgram(start: ConstructorParameters<typeof Program>[0]): Program {
  try {
    return new Program(start);
  } catch (error) {
    const why = error instanceof Error ? error.message : `${error}`;
    throw new TrainingError('preflight', `${start.command[0]} could not be started in ${start.workdir}: ${why}`);
  }
}

async function within(work: Promise<unknown>, limitMs: number): Promise<boolean> {
  const timer = new AbortController();
  const late = sleep(limitMs, false, { signal: timer.signal }).catch(() => false);
  const done = await Promise.race([work.then(() => true), late]);
  timer.abort();
  return done;
}

function silent(name: string): TrainingError {
  return new TrainingError(
    'rejected',
    `${name} ended well but reported nothing: it must print its metrics, one line of JSON an epoch, such as ` +
      `${EXAMPLE_LINE}, on stdout or into the file that TRAWL_METRICS names`,
  );
}
