/**
 * Describes all commands for `--help` and shell completion, without loading the commands and their libraries. The
 * descriptions are in commands.json. A test compares commands.json with the commands, and
 * `npx vitest run bin/program.test.ts -u` updates commands.json.
 */
import type { Command } from 'commander';
import commands from './commands.json' with { type: 'json' };
import { type Verb, verbsOf } from './scripts.ts';

export interface CommandIndex {
  /** One entry for the program itself, whose path is empty, and one entry for each verb and each subcommand. */
  readonly verbs: readonly Verb[];
  /** For each verb, its arguments in the form that the help shows, such as `[sweep]`. */
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
  // The help shows `[options]` only for a command that has an option, so this option stands for the options of the
  // verb.
  if (verb?.flags.some(({ names }) => !names.includes('--help'))) outline.option('--options');
}
