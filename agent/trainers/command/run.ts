/** The trainer `command`: each attempt is one run of a user's program. */

import { existsSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { unpackCode } from '../../../lib/code/archive.ts';
import { settlesWithin } from '../../../lib/net/within.ts';
import { errorMessage } from '../../../lib/text/error-message.ts';
import { pythonJson } from '../../../lib/text/python.ts';
import { truncate } from '../../../lib/text/width.ts';
import { isDiskFull } from '../../../proto/errors.ts';
import type { ProgramSpec } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import { failureClass } from '../../../proto/names.ts';
import { interpreterIn } from '../../machine/python-environments.ts';
import { type AttemptLog, StoppedByRule, TrainingError, type TrainingRun } from '../trainer.ts';
import { csvFile } from './csv-file.ts';
import { eventFiles } from './event-files.ts';
import { programName, pythonInterpreter } from './interpreter.ts';
import {
  argumentsOf,
  environmentOf,
  expandText,
  findProgram,
  makeFolders,
  type ProgramFolders,
  programParameters,
  recordedCommand,
  removeEmptyFolders,
} from './invocation.ts';
import { keepArtifacts } from './kept-files.ts';
import { metricsFile } from './metrics-file.ts';
import { oomKills } from './oom-kills.ts';
import { OutputTail, readStream, type TakeLine } from './output.ts';
import type { Exit } from './posix-spawn.ts';
import { Program, type ProgramStart, STOP_GRACE_S } from './program.ts';
import {
  type ClassifyRule,
  errorLine,
  type ProgramFailureClass,
  programFailureClass,
  RULE_MS,
} from './report/classify.ts';
import { Reports } from './reports.ts';
import { type FileSource, followSource } from './sources.ts';
import { hookEnvironment, hooksOf, isPython, keepWandbFiles, reportWandbFiles, wandbEnvironment } from './wandb.ts';

/**
 * The maximum time for which output is read after the program's exit. A daemon that the program started can hold the
 * pipe open.
 */
const DRAIN_MS = 30_000;

export async function command(run: TrainingRun): Promise<void> {
  run.signal.throwIfAborted();
  const { program: spec, log } = run;
  const folders = makeFolders(run.dir);
  const workdir = await workingFolder(run, folders);
  const parameters = programParameters(run.parameters, run.seed, spec);
  const trial = {
    parameters,
    seed: run.seed,
    trialId: run.key.trialId,
    environment: run.environment,
    folders,
  };
  const [name = '', ...rest] = argumentsOf(run.command, trial);
  const own = Object.fromEntries(Object.entries(spec?.env ?? {}).map(([key, text]) => [key, expandText(text, trial)]));
  const shownName = programName([name, ...rest]);
  const inherited = { ...run.environment, ...own };
  const path = findProgram(name, workdir, inherited.PATH);
  // The JSON has Python's format, which W&B's agent also uses.
  const json = pythonJson(parameters);
  if ([name, ...rest, ...Object.values(own)].some((text) => text.includes(folders.parameters))) {
    writeFileSync(folders.parameters, json);
  }
  const hooks = hooksOf(spec);
  const environment = {
    ...environmentOf(run, json, folders, inherited),
    ...wandbEnvironment(run, parameters, spec, folders, inherited),
    ...hookEnvironment(hooks, folders.hookMarker, inherited),
  };
  const python = pythonInterpreter(path, rest, workdir, inherited.PATH);
  run.started(recordedCommand(run.command, trial), python === undefined ? undefined : interpreterIn(python, inherited));
  const reports = new Reports(run, folders, log, { sources: spec?.report ?? [], metric: spec?.metric || undefined });
  const stopped = new AbortController();
  const receiver = whileRunning(reports, AbortSignal.any([stopped.signal, run.signal]));
  const sources = await fileSources(spec, (text) => resolve(workdir, expandText(text, trial)), receiver);
  const oomKillsBefore = oomKills();
  const start = { command: [path, ...rest], workdir, environment, graceS: STOP_GRACE_S, marker: run.marker };
  const program = startProgram(start);
  const stop = () => program.stop();
  run.signal.addEventListener('abort', stop, { once: true });
  if (run.signal.aborted) stop();

  const stdout = new OutputTail();
  const stderr = new OutputTail();
  const exited = new AbortController();
  let failure: unknown;
  const fail = (error: unknown) => {
    failure ??= error;
    stopped.abort(error);
    program.stop();
  };
  const closeOutput = () => {
    program.stdout.destroy();
    program.stderr.destroy();
  };
  const unlessEnded =
    (take: TakeLine): TakeLine =>
    (line) => {
      if (failure !== undefined || run.signal.aborted) return undefined;
      return take(line)?.catch((error) => {
        fail(error);
        return undefined;
      });
    };
  const keepFiles = async () => {
    await keepArtifacts(run, folders.artifacts, log);
    await keepWandbFiles(run, folders.wandb, log);
  };
  let isWhole = false;
  const readingOutput = Promise.all([
    readStream(
      program.stdout,
      unlessEnded((line) => reports.takeOutput(line)),
      stdout,
      log,
    ),
    readStream(program.stderr, () => undefined, stderr, log),
  ]).catch(fail);
  const metrics = metricsFile(
    folders.metrics,
    unlessEnded((line) => reports.takeMetrics(line)),
    (line) => reports.onUnreadable(line, 'the metrics file contains an invalid line'),
  );
  const readingFiles = Promise.all(
    [metrics, ...sources].map(async (source) => {
      const problem = await followSource(source, exited.signal, () => isWhole);
      if (problem !== undefined) log.note(problem);
    }),
  ).catch(fail);
  try {
    const exit = await program.exited
      .then(
        (ended) => {
          isWhole = ended.code === 0;
          return ended;
        },
        (error) => {
          throw startFailure(start, error);
        },
      )
      .finally(() => exited.abort());
    const isCutOff = () => run.signal.aborted && !(run.signal.reason instanceof StoppedByRule);
    if (isCutOff()) run.signal.throwIfAborted();
    if (!(await settlesWithin(DRAIN_MS, readingOutput))) {
      log.note(
        "a process that the program left behind keeps the program's output open: the remaining output is not read",
      );
      closeOutput();
    }
    await Promise.all([readingOutput, readingFiles]);
    if (run.signal.aborted) {
      if (!isCutOff()) await keepFiles();
      run.signal.throwIfAborted();
    }
    if (hooks.length > 0 && isPython([name, ...rest]) && !existsSync(folders.hookMarker)) {
      run.notice('hook_not_loaded', `the import hook for ${hooks.join(', ')} was not loaded in ${shownName}`, 1);
      if (hooks.includes('wandb')) await reportWandbFiles(folders.wandb, reports);
    }
    if (failure === undefined) await keepFiles();
    reports.end(stderr.text);
    if (exit.code !== 0) {
      const kills = oomKills() - oomKillsBefore;
      failure ??= exitFailure(exit, shownName, { stderr, stdout, oomKills: kills, rules: rulesOf(spec) }, log);
    }
    if (failure !== undefined) throw failure;
  } finally {
    run.signal.removeEventListener('abort', stop);
    stopped.abort();
    closeOutput();
    await Promise.all([readingOutput, readingFiles]);
    removeEmptyFolders(folders);
  }
}

/**
 * Returns the object that receives the reports read from files. Once the attempt has been stopped, this object throws
 * when it receives values, so that the unread rows of a large file do not delay the stop.
 */
function whileRunning(
  reports: Reports,
  ended: AbortSignal,
): Parameters<typeof csvFile>[1] & Parameters<typeof eventFiles>[1] {
  return {
    takeValues: async (values) => {
      ended.throwIfAborted();
      await reports.takeValues(values);
    },
    takeStep: async (step, values) => {
      ended.throwIfAborted();
      await reports.takeStep(step, values);
    },
    onUnreadable: (line, problem) => reports.onUnreadable(line, problem),
    onDamagedRecord: (file, problem) => reports.onDamagedRecord(file, problem),
    note: (kind, line) => reports.note(kind, line),
  };
}

/**
 * Returns the folder in which the program runs. If the sweep has code, unpacks it into the attempt's own folder, so
 * that two attempts never write to the same file.
 */
async function workingFolder({ code, workdir, signal }: TrainingRun, { code: own }: ProgramFolders): Promise<string> {
  if (code === undefined) return workdir;
  try {
    await unpackCode(code, own);
  } catch (error) {
    if (isDiskFull(error)) throw error;
    throw new TrainingError('preflight', errorMessage(error), { cause: error });
  }
  signal.throwIfAborted();
  return own;
}

async function fileSources(
  spec: ProgramSpec | undefined,
  pathOf: (text: string) => string,
  reports: ReturnType<typeof whileRunning>,
): Promise<FileSource[]> {
  const sources: FileSource[] = [];
  for (const { source } of spec?.report ?? []) {
    if (source?.$case === 'tfevents') sources.push(await eventFiles(pathOf(source.tfevents), reports));
    if (source?.$case === 'csv') sources.push(await csvFile(pathOf(source.csv), reports));
  }
  return sources;
}

function rulesOf(spec: ProgramSpec | undefined): ClassifyRule[] {
  return (spec?.classify ?? []).map((rule) => ({
    pattern: rule.pattern,
    class: failureClass.of(rule.class) as ProgramFailureClass,
  }));
}

function startProgram(start: ProgramStart): Program {
  try {
    return new Program(start);
  } catch (error) {
    throw startFailure(start, error);
  }
}

function startFailure({ command, workdir }: ProgramStart, error: unknown): TrainingError {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
  const cause = existsSync(workdir)
    ? 'the program exists: check that the interpreter in its first line exists'
    : 'the folder was removed after the attempt began';
  const hint = isMissing ? ` (${cause})` : '';
  const reason = `${errorMessage(error)}${hint}`;
  return new TrainingError('preflight', `could not start ${command[0]} in ${workdir}: ${reason}`, { cause: error });
}

/** The maximum width of the cause at the start of an error message. Tables and logs show the cause on one line. */
const MAX_CAUSE = 500;

interface ProgramOutput {
  readonly stderr: OutputTail;
  readonly stdout: OutputTail;
  readonly oomKills: number;
  readonly rules: readonly ClassifyRule[];
}

function exitFailure(
  { code, signal }: Exit,
  name: string,
  { stderr, stdout, oomKills: kills, rules }: ProgramOutput,
  log: AttemptLog,
): TrainingError {
  const end = { code, signal, stderr: stderr.text, stdout: stdout.text, oomKills: kills };
  const kind = programFailureClass(end, rules, ({ pattern }) =>
    log.note(`skipped the rule ${JSON.stringify(pattern)} of classify: it takes more than ${RULE_MS} ms`),
  );
  const how = signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
  const isKilled = signal === 'SIGKILL' || code === 128 + constants.signals.SIGKILL;
  const hint = isKilled ? ' (possibly out of memory: the kernel kills programs when memory runs out)' : '';
  const [stream, tail] = stderr.text.trim() === '' ? (['stdout', stdout] as const) : (['stderr', stderr] as const);
  const cause = errorLine(tail.text);
  const { lines } = tail;
  const context = lines.length > 1 || (lines[0] ?? cause) !== cause ? `\n${stream}:\n${lines.join('\n')}` : '';
  const ended = `${name} ${how}${hint}`;
  const message = cause === undefined ? `${ended}, with no output` : `${truncate(cause, MAX_CAUSE)} (${ended})`;
  return new TrainingError(kind, `${message}${context}`);
}
