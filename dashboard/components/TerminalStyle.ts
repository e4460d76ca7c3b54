import { createContext } from 'react';
import type { TerminalStyle } from '../terminal.ts';

/** The terminal's style, for every component that draws text. */
export const TerminalStyleContext = createContext<TerminalStyle>({ colour: true, ascii: false });
