/** Formats the commands that messages suggest, so that they work when they are copied. */
import { shellLine } from '../../lib/text/shell.ts';
import { type ServerOptions, serverFlags } from '../options/common.ts';

/** The command that runs trawl. npm and npx set `npm_execpath`. */
const TRAWL = process.env.npm_execpath === undefined ? 'trawl' : 'npx trawl';

/**
 * Returns a command that uses the same coordinator or folder as the current command.
 * @param words the verb and its arguments, such as `resume 3`
 */
export function suggested(words: string, options: ServerOptions = {}): string {
  return `${TRAWL} ${words}${serverFlags(options)}`;
}

/**
 * Returns the current command line for a shell.
 * @param words the words of the command line after the program
 * @param omitted an option with a value, such as `--retry`. The option and its value are left out of the result.
 */
export function repeated(words: readonly string[], omitted?: string): string {
  const isKept = (word: string, index: number) =>
    word !== omitted && words[index - 1] !== omitted && !word.startsWith(`${omitted}=`);
  const kept = omitted === undefined ? words : words.filter(isKept);
  return `${TRAWL} ${shellLine(kept)}`;
}
