/** Determines the arguments, path, environment and folders with which a trial's program is started. */
import { accessSync, constants, mkdirSync, rmdirSync, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { USER_UMASK } from '../../../lib/files/private-files.ts';
import { programValue, pythonJson, pythonText } from '../../../lib/text/python.ts';
import { type MacroName, type Piece, piecesOf } from '../../../proto/command.ts';
import type { ProgramSpec } from '../../../proto/gen/trawl/v1/attempt_service.ts';
import { MAX_RECORDED_COMMAND } from '../../../proto/limits.ts';
import type { Parameters } from '../../../proto/trainers.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';

/** The search path if PATH is not set, as in shells. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** The values with which the macros of a command are expanded. */
export interface TrialContext {
  readonly parameters: ProgramParameters;
  readonly seed: number;
  readonly trialId: string;
  /** The agent's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly folders: Pick<ProgramFolders, 'artifacts' | 'parameters'>;
}

/**
 * The parameters that a program receives, by name. They are JSON values in which each number that the sweep file writes
 * as a float is a Python float.
 */
export type ProgramParameters = Readonly<Record<string, unknown>>;

/**
 * Returns the trial's parameters in the order of the sweep file, including the parameter for the seed, if the sweep has
 * one.
 */
export function programParameters(
  parameters: Parameters,
  seed: number,
  spec: Pick<ProgramSpec, 'seedParameter' | 'parameterOrder' | 'floatParameters' | 'floatValues'> | undefined,
): ProgramParameters {
  const all = spec?.seedParameter ? { ...parameters, [spec.seedParameter]: seed } : parameters;
  const first = (spec?.parameterOrder ?? []).filter((name) => Object.hasOwn(all, name));
  const names = new Set([...first, ...Object.keys(all)]);
  return Object.fromEntries(
    [...names].flatMap((name) => {
      const value = all[name];
      return value === undefined ? [] : [[name, programValue(name, value, spec)]];
    }),
  );
}

/**
 * Expands the macros of a command. No value is split into several arguments, whatever characters the value contains.
 * @throws {TrainingError} `preflight` for an environment variable that is not set; `rejected` for a parameter that the
 *   trial does not have, or for a macro that this version does not support
 */
export function argumentsOf(command: readonly string[], trial: TrialContext): string[] {
  return command.flatMap((item) => {
    const pieces = piecesOf(item);
    const [only] = pieces;
    const expanded = pieces.length === 1 && only?.kind === 'macro' ? expandList(only.name, trial) : undefined;
    return expanded ?? [pieces.map((piece) => textOf(piece, trial)).join('')];
  });
}

/**
 * Returns the form in which a command is recorded. Its macros are expanded, except the macros of environment variables,
 * because these variables can contain secrets. A command that is longer than MAX_RECORDED_COMMAND is truncated.
 */
export function recordedCommand(command: readonly string[], trial: TrialContext): string[] {
  const variables = command.flatMap(piecesOf).flatMap((piece) => (piece.kind === 'variable' ? [piece.name] : []));
  const environment = Object.fromEntries(variables.map((name) => [name, `\${envvar:${name}}`]));
  const recorded: string[] = [];
  let characters = 0;
  for (const word of argumentsOf(command, { ...trial, environment })) {
    characters += word.length + 1;
    if (characters > MAX_RECORDED_COMMAND) return [...recorded, '...'];
    recorded.push(word);
  }
  return recorded;
}

/** Expands the macros in a text, such as the value of an environment variable. */
export function expandText(text: string, trial: TrialContext): string {
  return piecesOf(text)
    .map((piece) => textOf(piece, trial))
    .join('');
}

function expandList(name: MacroName, trial: TrialContext): string[] | undefined {
  const entries = Object.entries(trial.parameters).map(([key, value]) => [key, pythonText(value), value] as const);
  switch (name) {
    case 'args':
      return entries.map(([key, text]) => `--${key}=${text}`);
    case 'args_no_hyphens':
      return entries.map(([key, text]) => `${key}=${text}`);
    case 'args_no_equals':
      return entries.flatMap(([key, text]) => [`--${key}`, text]);
    case 'args_append_hydra':
      return entries.map(([key, text]) => `+${key}=${text}`);
    case 'args_override_hydra':
      return entries.map(([key, text]) => `++${key}=${text}`);
    case 'args_no_boolean_flags':
      return entries.flatMap(([key, text, value]) => {
        if (typeof value !== 'boolean') return [`--${key}=${text}`];
        return value ? [`--${key}`] : [];
      });
    default:
      return undefined;
  }
}

function textOf(piece: Piece, trial: TrialContext): string {
  switch (piece.kind) {
    case 'text':
      return piece.text;
    case 'macro':
      return macroText(piece.name, trial);
    case 'parameter': {
      const value = Object.hasOwn(trial.parameters, piece.name) ? trial.parameters[piece.name] : undefined;
      if (value !== undefined) return pythonText(value);
      throw new TrainingError('rejected', `the trial has no parameter ${JSON.stringify(piece.name)}`);
    }
    case 'variable': {
      const value = trial.environment[piece.name];
      if (value !== undefined) return value;
      throw new TrainingError(
        'preflight',
        `the command contains \${envvar:${piece.name}}, but ${piece.name} is not set in the agent's environment`,
      );
    }
    case 'unknown':
      throw unsupported(piece.name);
  }
}

function macroText(name: MacroName, trial: TrialContext): string {
  switch (name) {
    case 'args_json':
      return pythonJson(trial.parameters);
    case 'args_json_file':
      return trial.folders.parameters;
    case 'seed':
      return `${trial.seed}`;
    case 'trial':
      return trial.trialId;
    case 'artifacts':
      return trial.folders.artifacts;
    default: {
      const list = expandList(name, trial);
      if (list !== undefined) return list.join(' ');
      throw unsupported(name);
    }
  }
}

function unsupported(name: string): TrainingError {
  return new TrainingError('rejected', `this agent does not support \${${name}} in the command`);
}

/**
 * Finds a program as a shell does. The program is looked up before it is started, so that the error message is clear if
 * there is no such program.
 * @param name a path (relative to the workdir), or the name of a file in one of PATH's folders
 * @returns an absolute path
 * @throws {TrainingError} `preflight` when there is no such program, or no such workdir
 */
export function findProgram(name: string, workdir: string, path: string | undefined): string {
  if (!isFolder(workdir)) {
    throw new TrainingError('preflight', `the folder for users' programs does not exist: ${workdir} (--workdir)`);
  }
  const isPath = name.includes('/');
  const candidates = isPath
    ? [resolve(workdir, name)]
    : (path ?? DEFAULT_PATH).split(delimiter).map((folder) => join(resolve(workdir, folder), name));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  const where = isPath ? `in ${workdir}` : `on the agent's PATH (workdir ${workdir})`;
  throw new TrainingError('preflight', `no executable program ${JSON.stringify(name)} ${where}`);
}

function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch {
    return false;
  }
}

function isExecutable(path: string): boolean {
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return false;
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The paths of a program's files and folders, which are in the attempt's folder. All paths are absolute. */
export interface ProgramFolders {
  /** The program's own folder, TRAWL_DIR. */
  readonly own: string;
  readonly artifacts: string;
  /** A file for metric lines, which the program can create. */
  readonly metrics: string;
  /** The path to which a checkpoint is copied before it is kept. */
  readonly checkpoint: string;
  /** A file with the parameters as JSON, if the command or the environment names it. */
  readonly parameters: string;
  /** The folder with the attempt's own copy of the code, if the sweep has code. */
  readonly code: string;
  /** The folder of W&B's files, if the mode of W&B is `offline`. */
  readonly wandb: string;
  readonly wandbParameters: string;
  /** A file that the import hook creates when it is loaded. */
  readonly hookMarker: string;
}

/** Creates the folders that every program can use. */
export function makeFolders(relative: string): ProgramFolders {
  const dir = resolve(relative);
  const folders = {
    own: join(dir, 'program'),
    artifacts: join(dir, 'artifacts'),
    metrics: join(dir, 'metrics.jsonl'),
    checkpoint: join(dir, 'checkpoint'),
    parameters: join(dir, 'parameters.json'),
    code: join(dir, 'code'),
    wandb: join(dir, 'wandb'),
    wandbParameters: join(dir, 'wandb-parameters.yaml'),
    hookMarker: join(dir, 'hook-loaded'),
  };
  for (const folder of [folders.own, folders.artifacts]) mkdirSync(folder, { recursive: true });
  return folders;
}

/**
 * Removes those folders that `makeFolders` has created and that are empty. To remove them later, together with the
 * attempt's folder, would take longer.
 */
export function removeEmptyFolders({ own, artifacts }: ProgramFolders): void {
  for (const folder of [own, artifacts]) {
    try {
      rmdirSync(folder);
    } catch {
      // The folder contains files.
    }
  }
}

/**
 * Returns the program's environment: the agent's own environment, the variables from the sweep file, and the variables
 * that describe the trial.
 * @param parameters the parameters as JSON
 */
export function environmentOf(
  run: Pick<TrainingRun, 'key' | 'seed' | 'checkpointEvery' | 'resume'>,
  parameters: string,
  folders: ProgramFolders,
  inherited: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const { TRAWL_CHECKPOINT: _, TRAWL_RESUME_EPOCH: __, [USER_UMASK]: ___, ...others } = inherited;
  return {
    // Without this variable, Python buffers kilobytes of output, including metrics, before it writes to a pipe.
    PYTHONUNBUFFERED: '1',
    ...others,
    TRAWL_SWEEP: run.key.sweepId,
    TRAWL_TRIAL: run.key.trialId,
    TRAWL_ATTEMPT: `${run.key.attempt}`,
    TRAWL_SEED: `${run.seed}`,
    TRAWL_PARAMETERS: parameters,
    TRAWL_DIR: folders.own,
    TRAWL_ARTIFACTS: folders.artifacts,
    TRAWL_METRICS: folders.metrics,
    TRAWL_CHECKPOINT_EVERY: `${run.checkpointEvery}`,
    ...(run.resume && { TRAWL_CHECKPOINT: resolve(run.resume.path), TRAWL_RESUME_EPOCH: `${run.resume.epoch}` }),
  };
}
