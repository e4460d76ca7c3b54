/** The flags by which an agent's slots are cut, and what they have to offer. */
import { type Command, Option } from 'commander';
import type { Labels } from '../proto/labels.ts';
import { addLabel, parseCount } from './options.ts';

export interface SlotOptions {
  readonly slots?: number;
  readonly slotsPerGpu?: number;
  readonly label: Labels;
}

/** `--slots`, `--slots-per-gpu`, `--label`. */
export function withSlots(command: Command): Command {
  return command
    .option('--slots <n>', 'trials at a time (default: one a GPU, without GPUs one a core)', parseCount)
    .option(
      '--slots-per-gpu <n>',
      'trials at a time on each GPU, which share its memory evenly (default: 1)',
      parseCount,
    )
    .addOption(
      new Option('--label <name=value>', 'what sweeps may ask for in resources; may be given again')
        .argParser(addLabel)
        .default({}, 'none'),
    );
}

/** The same flags once more, for an agent that is started with them. */
export function slotFlags({ slots, slotsPerGpu, label }: SlotOptions): string[] {
  return [
    ...(slots === undefined ? [] : ['--slots', `${slots}`]),
    ...(slotsPerGpu === undefined ? [] : ['--slots-per-gpu', `${slotsPerGpu}`]),
    ...Object.entries(label).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
  ];
}
