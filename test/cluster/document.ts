/** Extracts the commands and files of a document from its code blocks. */
import { marked, type Token } from 'marked';

export type CodeBlock =
  | { readonly kind: 'commands'; readonly machine: string; readonly lines: readonly string[] }
  | { readonly kind: 'file'; readonly name: string; readonly text: string };

/** Returns the blocks ```sh MACHINE and ```yaml FILE in order. Ignores blocks without a machine or file. */
export function blocksOf(markdown: string): CodeBlock[] {
  return marked.lexer(markdown).flatMap((token: Token): CodeBlock[] => {
    if (token.type !== 'code') return [];
    const [language, place] = `${token.lang ?? ''}`.split(' ');
    if (place === undefined) return [];
    if (language === 'sh') return [{ kind: 'commands', machine: place, lines: commandsIn(token.text) }];
    return [{ kind: 'file', name: place, text: `${token.text}\n` }];
  });
}

function commandsIn(text: string): string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('#'));
}
