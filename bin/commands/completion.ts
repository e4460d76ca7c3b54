import { Argument, type Command } from 'commander';
import { bashScript, fishScript, verbsOf, zshScript } from '../completion/scripts.ts';
import { withHelp } from '../options/common.ts';
import { print } from '../output/print.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export function registerCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('print a script by which a shell completes verbs, flags and their values')
    .addArgument(new Argument('<shell>', 'which').choices(Object.keys(SCRIPTS)));
  withHelp(command, {
    remote: false,
    examples: [
      ['source <(trawl completion bash)', 'in ~/.bashrc'],
      ['source <(trawl completion zsh)', 'in ~/.zshrc'],
      ['trawl completion fish | source', 'in ~/.config/fish/config.fish'],
    ],
  }).action((shell: keyof typeof SCRIPTS) => print(SCRIPTS[shell](verbsOf(program))));
}
