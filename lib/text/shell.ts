/** Formats command lines for a shell. */

/**
 * Returns a command line with the quotes that a shell needs. Placeholders such as `<artifacts>` have no quotes, so that
 * they are easy to read.
 */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

function shellWord(argument: string): string {
  if (/^([\w@%+=:,./-]|<\w+>)+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}
