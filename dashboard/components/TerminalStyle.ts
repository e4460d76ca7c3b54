import { createContext } from 'react';
import type { TerminalStyle } from '../terminal.ts';

/** The style of the terminal, for every component that draws text. */
export const TerminalStyleContext = createContext<TerminalStyle>({ color: true, ascii: false });
