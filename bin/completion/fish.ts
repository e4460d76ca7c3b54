import type { Flag, Verb } from './verbs.ts';

const quoted = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** A script that makes fish complete verbs, flags and their choices, each with what it is. */
export function fishScript(verbs: readonly Verb[]): string {
  const lines = verbs.flatMap((verb) => {
    const here = conditionOf(verb, verbs);
    const next = verb.words.map((name) => {
      const about = verbs.find(({ path }) => path.join(' ') === [...verb.path, name].join(' '))?.about ?? '';
      return `complete -c trawl -n ${quoted(here)} -f -a ${quoted(name)} -d ${quoted(about)}`;
    });
    return [...next, ...verb.flags.map((flag) => `complete -c trawl -n ${quoted(here)} ${flagText(flag)}`)];
  });
  return `# trawl: completion for fish. Put into ~/.config/fish/config.fish: trawl completion fish | source
${lines.join('\n')}
`;
}

function flagText({ names, about, takesValue, choices }: Flag): string {
  const said = names.map((name) => (name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`));
  const value = choices.length > 0 ? ['-x', `-a ${quoted(choices.join(' '))}`] : takesValue ? ['-r'] : [];
  return [...said, ...value, `-d ${quoted(about)}`].join(' ');
}

/** Whether the words so far name this verb, and none below it. */
function conditionOf({ path, words: below }: Verb, verbs: readonly Verb[]): string {
  const [first, ...rest] = path;
  if (first === undefined) return '__fish_use_subcommand';
  // A word may name a verb of its own and one below another: "agent", and "certs agent".
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
