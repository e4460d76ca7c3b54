import { InvalidArgumentError, Option } from 'commander';
import { MAX_PACK } from '../proto/packs.ts';

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
