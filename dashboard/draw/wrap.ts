import { line, type StyledLine } from '../../lib/text/segment.ts';
import type { Style } from '../../lib/text/style.ts';
import { visibleText } from '../../lib/text/visible-text.ts';

/**
 * Words on as many lines as they need.
 * @param indent before each line after the first
 */
export function wrapped(text: string, columns: number, style?: Style, indent = ''): StyledLine[] {
  const lines: string[] = [];
  for (const word of visibleText(text).split(' ')) {
    const last = lines.at(-1);
    if (last === undefined) lines.push(word);
    else if (last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(indent + word);
  }
  return lines.filter((words) => words.trim() !== '').map((words) => line(words, style));
}
