import { useContext } from 'react';
import { asciiText } from '../../lib/text/ascii.ts';
import { visibleText } from '../../lib/text/visible-text.ts';
import { TerminalStyleContext } from '../components/TerminalStyle.ts';

/**
 * Returns the function that makes a text safe to print, and converts the text to ASCII if the terminal shows only
 * ASCII. The result can be longer than the text, so widths must be measured on the result.
 */
export function useShownText(): (text: string) => string {
  const { ascii } = useContext(TerminalStyleContext);
  return ascii ? (text) => asciiText(visibleText(text)) : visibleText;
}
