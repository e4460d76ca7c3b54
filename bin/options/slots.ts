import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Labels } from '../../proto/limits.ts';
import { MAX_PACK } from '../../proto/limits.ts';
import { addLabel, parseCount } from './common.ts';

/** The flags by which an agent's slots are cut, and what they have to offer. */

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

/** `--pack N|auto|off`: off is a pack of one. */
export function packOption(): Option {
  return new Option('--pack <n>', 'trials that a slot trains together, as one program: a number, auto or off')
    .default('auto')
    .argParser(parsePack);
}

function parsePack(text: string): number | 'auto' {
  if (text === 'auto') return 'auto';
  if (text === 'off') return 1;
  const size = Number(text);
  if (/^\d+$/.test(text) && size >= 1 && size <= MAX_PACK) return size;
  throw new InvalidArgumentError(`Expected auto, off, or a whole number from 1 to ${MAX_PACK}.`);
}
