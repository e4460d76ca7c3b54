import type { Verb } from './verbs.ts';

/** A script that makes bash complete verbs, flags and their choices, and files elsewhere. */
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
  return `# trawl: completion for bash. Put into ~/.bashrc: source <(trawl completion bash)
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

/** The same for zsh, which understands bash's way. */
export function zshScript(verbs: readonly Verb[]): string {
  const [, ...body] = bashScript(verbs).split('\n');
  return `# trawl: completion for zsh. Put into ~/.zshrc: source <(trawl completion zsh)
autoload -U +X compinit && compinit
autoload -U +X bashcompinit && bashcompinit
${body.join('\n')}`;
}
