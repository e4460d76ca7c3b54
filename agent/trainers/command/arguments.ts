/** A command with macros -> the arguments of one trial's program. An argument is an argument, whatever it holds. */
import { type MacroName, type Piece, piecesOf } from '../../../proto/command.ts';
import type { Parameters } from '../../../proto/trainers.ts';
import { TrainingError } from '../trainer.ts';

export interface Trial {
  readonly parameters: Parameters;
  readonly seed: number;
  /** Of the agent. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** @throws {TrainingError} `preflight` for a variable that is not set here, `rejected` for macros that only a coordinator of another version knows */
export function argumentsOf(command: readonly string[], trial: Trial): string[] {
  return command.flatMap((item) => {
    const pieces = piecesOf(item);
    const [only] = pieces;
    const many = pieces.length === 1 && only?.kind === 'macro' ? manyOf(only.name, trial.parameters) : undefined;
    return many ?? [pieces.map((piece) => textOf(piece, trial)).join('')];
  });
}

/** What a macro that stands for any number of arguments stands for; undefined for the others. */
function manyOf(name: MacroName, parameters: Parameters): string[] | undefined {
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

function textOf(piece: Piece, { parameters, seed, environment }: Trial): string {
  if (piece.kind === 'text') return piece.text;
  if (piece.kind === 'macro' && piece.name === 'args_json') return JSON.stringify(parameters);
  if (piece.kind === 'macro' && piece.name === 'seed') return `${seed}`;
  if (piece.kind !== 'variable') {
    throw new TrainingError('rejected', `this agent cannot fill in \${${piece.name}} of the command`);
  }
  const value = environment[piece.name];
  if (value !== undefined) return value;
  throw new TrainingError(
    'preflight',
    `the command holds \${envvar:${piece.name}}, but ${piece.name} is not set where the agent was started`,
  );
}
