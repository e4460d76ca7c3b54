/** Formats the commands that messages suggest, so that they work when they are copied. */
import { shellLine } from '../../lib/text/shell.ts';
import { type ServerOptions, serverFlags } from '../options/common.ts';

/** The command that runs trawl. npm and npx set `npm_execpath`. */
const TRAWL = process.env.npm_execpath === undefined ? 'trawl' : 'npx trawl';

/**
 * Returns a command that uses the same coordinator or folder as the current command.
 * @param words such as `resume 3`
 */
export function suggested(words: string, options: ServerOptions = {}): string {
  return `${TRAWL} ${words}${serverFlags(options)}`;
}

/**
 * Returns the current command, without the option `without` if it is given.
 * @param words of the command line, without the program
 * @param without the omitted option, which takes a value, such as `--retry`
 */
export function repeated(words: readonly string[], without?: string): string {
  const isKept = (word: string, index: number) =>
    word !== without && words[index - 1] !== without && !word.startsWith(`${without}=`);
  const kept = without === undefined ? words : words.filter(isKept);
  return `${TRAWL} ${shellLine(kept)}`;
}
