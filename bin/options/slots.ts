/** Options that define an agent's slots. */
import { type Command, Option } from 'commander';
import { type Labels, MAX_SLOTS } from '../../proto/limits.ts';
import { addLabel, countUpTo, parsePack } from './values.ts';

export interface SlotOptions {
  readonly slots?: number;
  readonly slotsPerGpu?: number;
  readonly label: Labels;
}

/** Adds `--slots`, `--slots-per-gpu` and `--label`. */
export function withSlots(command: Command): Command {
  return command
    .option('--slots <n>', 'number of slots (default: one per GPU, or else one per core)', countUpTo(MAX_SLOTS))
    .option(
      '--slots-per-gpu <n>',
      'slots on each GPU, with an equal share of its memory (default: 1)',
      countUpTo(MAX_SLOTS),
    )
    .addOption(
      new Option('--label <name=value>', 'label that sweeps can require in their resources; repeatable')
        .argParser(addLabel)
        .default({}, 'none'),
    );
}

/** Formats the slot options for the command line of an agent. */
export function slotFlags({ slots, slotsPerGpu, label }: SlotOptions): string[] {
  return [
    ...(slots === undefined ? [] : ['--slots', `${slots}`]),
    ...(slotsPerGpu === undefined ? [] : ['--slots-per-gpu', `${slotsPerGpu}`]),
    ...Object.entries(label).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
  ];
}

/** The option `--pack`. */
export function packOption(): Option {
  return new Option('--pack <n>', 'trials that a slot trains together in one program: a number, auto or off')
    .default('auto')
    .argParser(parsePack);
}
