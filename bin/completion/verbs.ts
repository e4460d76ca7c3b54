/** What can be written after `trawl`, as the command line itself has it. */
import type { Command } from 'commander';

export interface Flag {
  /** Such as `-o` and `--output`. */
  readonly names: readonly string[];
  readonly about: string;
  readonly takesValue: boolean;
  /** The values that it takes; empty: others. */
  readonly choices: readonly string[];
}

export interface Verb {
  /** From the first word after `trawl`: `['certs', 'init']`. */
  readonly path: readonly string[];
  readonly about: string;
  readonly flags: readonly Flag[];
  /** The words of which one must follow: verbs below it, or values; empty: others. */
  readonly words: readonly string[];
}

/** The program itself, whose path is empty, and every verb below it. */
export function verbsOf(command: Command, path: readonly string[] = []): Verb[] {
  const help = command.createHelp();
  const below = help.visibleCommands(command).filter((one) => one.name() !== 'help');
  const own: Verb = {
    path,
    about: command.description(),
    flags: help.visibleOptions(command).map(({ short, long, description, argChoices, required, optional }) => ({
      names: [short, long].flatMap((name) => name ?? []),
      about: description,
      takesValue: required || optional,
      choices: argChoices ?? [],
    })),
    words: [
      ...below.map((one) => one.name()),
      ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
    ],
  };
  return [own, ...below.flatMap((one) => verbsOf(one, [...path, one.name()]))];
}
