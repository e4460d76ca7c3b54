/**
 * Describes all commands for `--help` and shell completion, without loading the commands and their libraries. The
 * descriptions are in commands.json. A test compares commands.json with the commands, and
 * `npx vitest run bin/program.test.ts -u` updates commands.json.
 */
import type { Command } from 'commander';
import commands from './commands.json' with { type: 'json' };
import { type Verb, verbsOf } from './scripts.ts';

export interface CommandIndex {
  /** The program itself, with an empty path, and every verb and subcommand. */
  readonly verbs: readonly Verb[];
  /** By verb, the arguments as help shows them, such as `[sweep]`. */
  readonly arguments: Readonly<Record<string, readonly string[]>>;
}

export const COMMAND_INDEX: CommandIndex = commands as CommandIndex;

/** Returns the index of a program whose commands are all loaded. */
export function indexOf(program: Command): CommandIndex {
  const argumentsOf = ({ registeredArguments }: Command) =>
    registeredArguments.map((argument) => {
      const name = `${argument.name()}${argument.variadic ? '...' : ''}`;
      return argument.required ? `<${name}>` : `[${name}]`;
    });
  return {
    verbs: verbsOf(program),
    arguments: Object.fromEntries(program.commands.map((command) => [command.name(), argumentsOf(command)])),
  };
}

/** Adds a command that has a name, a description and arguments, but no action. */
export function addOutline(program: Command, name: string): void {
  const verb = COMMAND_INDEX.verbs.find(({ path }) => path.length === 1 && path[0] === name);
  const outline = program.command(name).description(verb?.about ?? '');
  for (const argument of COMMAND_INDEX.arguments[name] ?? []) outline.argument(argument);
  // Help shows `[options]` only for a command with an option.
  if (verb?.flags.some(({ names }) => !names.includes('--help'))) outline.option('--options');
}
