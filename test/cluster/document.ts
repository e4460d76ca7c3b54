/** The commands and files of a document, as a reader finds them: blocks of code that say where they belong. */
import { marked, type Token } from 'marked';

export type Block =
  | { readonly kind: 'commands'; readonly machine: string; readonly lines: readonly string[] }
  | { readonly kind: 'file'; readonly name: string; readonly text: string };

/** Every ```sh MACHINE and ```yaml FILE, in order; others say nowhere where they belong, and are left out. */
export function blocksOf(markdown: string): Block[] {
  return marked.lexer(markdown).flatMap((token: Token): Block[] => {
    if (token.type !== 'code') return [];
    const [language, place] = `${token.lang ?? ''}`.split(' ');
    if (place === undefined) return [];
    if (language === 'sh') return [{ kind: 'commands', machine: place, lines: commandsIn(token.text) }];
    return [{ kind: 'file', name: place, text: `${token.text}\n` }];
  });
}

/** One a line; a backslash at its end goes on in the next. */
function commandsIn(text: string): string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
}
