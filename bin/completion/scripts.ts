import type { Command } from 'commander';

interface Flag {
  /** The names of the option, such as `-o` and `--output`. */
  readonly names: readonly string[];
  readonly about: string;
  readonly takesValue: boolean;
  /** The allowed values. An empty list allows any value. */
  readonly choices: readonly string[];
}

export interface Verb {
  /** The words after `trawl`, such as `['certs', 'init']`. Empty for the program itself. */
  readonly path: readonly string[];
  readonly about: string;
  readonly flags: readonly Flag[];
  /** The words that can follow the path: subcommands, or allowed values of arguments. An empty list allows any word. */
  readonly words: readonly string[];
}

/** Returns one entry for the program itself, whose path is empty, and one entry for each verb and each subcommand. */
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

/**
 * Returns a bash script that completes verbs, options and their values. If no word matches, bash completes file names.
 */
export function bashScript(verbs: readonly Verb[]): string {
  const named = verbs.filter(({ path }) => path.length > 0);
  const choices = verbs.flatMap(({ path, flags }) =>
    flags
      .filter((flag) => flag.choices.length > 0)
      .map(({ names, choices }) => {
        const before = names.map((name) => `'${[...path, name].join(' ')}'`);
        return `    ${before.join('|')}) words='${choices.join(' ')}' ;;`;
      }),
  );
  const words = verbs.map(({ path, flags, words }) => {
    return `    '${path.join(' ')}') verbs='${words.join(' ')}' flags='${flags.flatMap(({ names }) => names).join(' ')}' ;;`;
  });
  return `# trawl completion for bash. Add to ~/.bashrc: source <(trawl completion bash)
_trawl() {
  local cur=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} verb='' next words='' verbs='' flags='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    next=\${verb:+$verb }\${COMP_WORDS[i]}
    case $next in
      ${named.map(({ path }) => `'${path.join(' ')}'`).join('|')}) verb=$next ;;
    esac
  done
  case $verb in
${words.join('\n')}
  esac
  case "\${verb:+$verb }$before" in
${choices.join('\n')}
  esac
  if [[ -z $words ]]; then
    words=$verbs
    if [[ $cur == -* ]]; then words=$flags; fi
  fi
  COMPREPLY=()
  if [[ -n $words ]]; then COMPREPLY=($(compgen -W "$words" -- "$cur")); fi
}
complete -o default -F _trawl trawl
`;
}

/** Returns a zsh script that contains the bash script, because zsh can run completion functions for bash. */
export function zshScript(verbs: readonly Verb[]): string {
  const [, ...body] = bashScript(verbs).split('\n');
  return `# trawl completion for zsh. Add to ~/.zshrc: source <(trawl completion zsh)
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${body.join('\n')}`;
}

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** Returns a fish script that completes verbs, options and their values, with descriptions. */
export function fishScript(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap((verb) => {
    const here = conditionOf(verb, verbs);
    const next = verb.words.map((name) => {
      const about = verbs.find(({ path }) => path.join(' ') === [...verb.path, name].join(' '))?.about ?? '';
      return `complete -c trawl -n ${quoted(here)} -f -a ${quoted(name)} -d ${quoted(about)}`;
    });
    return [...next, ...verb.flags.map((flag) => `complete -c trawl -n ${quoted(here)} ${flagText(flag)}`)];
  });
  return `# trawl completion for fish. Add to ~/.config/fish/config.fish: trawl completion fish | source
${lines.join('\n')}
`;
}

function flagText({ names, about, takesValue, choices }: Flag): string {
  const flags = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const value = choices.length > 0 ? ['-x', `-a ${quoted(choices.join(' '))}`] : takesValue ? ['-r'] : [];
  return [...flags, ...value, `-d ${quoted(about)}`].join(' ');
}

function conditionOf({ path, words: below }: Verb, verbs: readonly Verb[]): string {
  const [first, ...rest] = path;
  if (first === undefined) return '__fish_use_subcommand';
  const parents =
    rest.length > 0
      ? []
      : verbs.filter(({ path, words }) => path.length > 0 && words.includes(first)).flatMap(({ path }) => path);
  const others = [...parents, ...below];
  return [
    ...path.map((word) => `__fish_seen_subcommand_from ${word}`),
    ...(others.length > 0 ? [`not __fish_seen_subcommand_from ${others.join(' ')}`] : []),
  ].join('; and ');
}
