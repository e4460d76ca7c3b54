import { Argument, type Command } from 'commander';
import { COMMAND_INDEX } from '../completion/command-index.ts';
import { bashScript, fishScript, zshScript } from '../completion/scripts.ts';
import { withHelp } from '../options/common.ts';
import { print } from '../output/print.ts';

const SCRIPTS = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;

export function registerCompletion(program: Command): void {
  const command = program
    .command('completion')
    .description('print a shell completion script')
    .addArgument(new Argument('<shell>', 'shell to print the script for').choices(Object.keys(SCRIPTS)));
  withHelp(command, {
    remote: false,
    examples: [
      ['source <(trawl completion bash)', 'add to ~/.bashrc'],
      ['source <(trawl completion zsh)', 'add to ~/.zshrc'],
      ['trawl completion fish | source', 'add to ~/.config/fish/config.fish'],
    ],
  }).action((shell: keyof typeof SCRIPTS) => print(SCRIPTS[shell](COMMAND_INDEX.verbs)));
}
