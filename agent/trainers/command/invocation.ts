/** How a trial's program is started: its arguments, path, environment and folders. */
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { type MacroName, type Piece, piecesOf } from '../../../proto/command.ts';
import type { Parameters } from '../../../proto/trainers.ts';
import { TrainingError, type TrainingRun } from '../trainer.ts';

/** The search path of a shell when PATH is not set. */
const DEFAULT_PATH = '/usr/local/bin:/usr/bin:/bin';

/** The values that the macros of a command stand for. */
export interface TrialContext {
  readonly parameters: Parameters;
  readonly seed: number;
  /** The agent's environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/**
 * Expands the macros of a command. A value never becomes more or less than one argument, whatever characters it contains.
 * @throws {TrainingError} `preflight` for an environment variable that is not set; `rejected` for a macro that only a
 *   coordinator of another version supports
 */
export function argumentsOf(command: readonly string[], trial: TrialContext): string[] {
  return command.flatMap((item) => {
    const pieces = piecesOf(item);
    const [only] = pieces;
    const expanded =
      pieces.length === 1 && only?.kind === 'macro' ? expandList(only.name, trial.parameters) : undefined;
    return expanded ?? [pieces.map((piece) => textOf(piece, trial)).join('')];
  });
}

/** Expands a macro that stands for any number of arguments. Returns undefined for other macros. */
function expandList(name: MacroName, parameters: Parameters): string[] | undefined {
  const entries = Object.entries(parameters);
  switch (name) {
    case 'args':
      return entries.map(([key, value]) => `--${key}=${value}`);
    case 'args_no_hyphens':
      return entries.map(([key, value]) => `${key}=${value}`);
    case 'args_no_boolean_flags':
      return entries.flatMap(([key, value]) => {
        if (typeof value !== 'boolean') return [`--${key}=${value}`];
        return value ? [`--${key}`] : [];
      });
    default:
      return undefined;
  }
}

function textOf(piece: Piece, { parameters, seed, environment }: TrialContext): string {
  if (piece.kind === 'text') return piece.text;
  if (piece.kind === 'macro' && piece.name === 'args_json') return JSON.stringify(parameters);
  if (piece.kind === 'macro' && piece.name === 'seed') return `${seed}`;
  if (piece.kind !== 'variable') {
    throw new TrainingError('rejected', `this agent does not support \${${piece.name}} in the command`);
  }
  const value = environment[piece.name];
  if (value !== undefined) return value;
  throw new TrainingError(
    'preflight',
    `the command contains \${envvar:${piece.name}}, but ${piece.name} is not set in the agent's environment`,
  );
}

/**
 * Finds a program as a shell does. Checking this before the start allows a clear error message.
 * @param name a path (relative to the workdir), or the name of a file in one of PATH's folders
 * @returns an absolute path
 * @throws {TrainingError} `preflight` when there is no such program, or no such workdir
 */
export async function findProgram(name: string, workdir: string, path: string | undefined): Promise<string> {
  if (!(await isFolder(workdir))) {
    throw new TrainingError('preflight', `the folder for users' programs does not exist: ${workdir} (--workdir)`);
  }
  const isPath = name.includes('/');
  const candidates = isPath
    ? [resolve(workdir, name)]
    : (path ?? DEFAULT_PATH).split(delimiter).map((folder) => join(resolve(workdir, folder), name));
  for (const candidate of candidates) if (await isExecutable(candidate)) return candidate;
  const where = isPath ? `in ${workdir}` : `on the agent's PATH (workdir ${workdir})`;
  throw new TrainingError('preflight', `no executable program ${JSON.stringify(name)} ${where}`);
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

/** The files of a program, in the attempt's folder. */
export interface ProgramFolders {
  /** The program's own folder. */
  readonly own: string;
  readonly artifacts: string;
  /** A file for metric lines, which the program can create. */
  readonly metrics: string;
  /** Where a checkpoint is copied to before it is kept. */
  readonly checkpoint: string;
}

export async function makeFolders(dir: string): Promise<ProgramFolders> {
  const folders = {
    own: join(dir, 'program'),
    artifacts: join(dir, 'artifacts'),
    metrics: join(dir, 'metrics.jsonl'),
    checkpoint: join(dir, 'checkpoint'),
  };
  await mkdir(folders.own, { recursive: true });
  await mkdir(folders.artifacts, { recursive: true });
  return folders;
}

/** Returns the program's environment: the agent's own, and the variables that describe the trial. */
export function environmentOf(
  run: Pick<TrainingRun, 'key' | 'seed' | 'parameters' | 'checkpointEvery' | 'resume'>,
  folders: ProgramFolders,
  agentEnvironment: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const { TRAWL_CHECKPOINT: _, TRAWL_RESUME_EPOCH: __, ...inherited } = agentEnvironment;
  return {
    // Otherwise Python buffers kilobytes of output, and the metrics in it, before it writes to a pipe.
    PYTHONUNBUFFERED: '1',
    ...inherited,
    TRAWL_SWEEP: run.key.sweepId,
    TRAWL_TRIAL: run.key.trialId,
    TRAWL_ATTEMPT: `${run.key.attempt}`,
    TRAWL_SEED: `${run.seed}`,
    TRAWL_PARAMETERS: JSON.stringify(run.parameters),
    TRAWL_DIR: folders.own,
    TRAWL_ARTIFACTS: folders.artifacts,
    TRAWL_METRICS: folders.metrics,
    TRAWL_CHECKPOINT_EVERY: `${run.checkpointEvery}`,
    ...(run.resume && { TRAWL_CHECKPOINT: run.resume.path, TRAWL_RESUME_EPOCH: `${run.resume.epoch}` }),
  };
}
