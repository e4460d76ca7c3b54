/** Formats command lines for a shell. */

/**
 * Returns a command line with quotes as a shell needs them, except around placeholders such as `<artifacts>`, so that
 * placeholders are easy to read.
 */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

function shellWord(argument: string): string {
  if (/^([\w@%+=:,./-]|<\w+>)+$/.test(argument)) return argument;
  return `'${argument.replaceAll("'", `'\\''`)}'`;
}
