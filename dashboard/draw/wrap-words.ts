import { columnsOf, truncate } from '../../lib/text/width.ts';

/**
 * Wraps a text at spaces into lines of at most `columns` terminal columns. A word that is longer than a line is
 * shortened.
 */
export function wrapWords(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/ +/)) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (columnsOf(longer) <= columns) {
      line = longer;
      continue;
    }
    if (line !== '') lines.push(line);
    line = truncate(word, columns);
  }
  return [...lines, line];
}
