import { createContext } from 'react';

/** The terminal features and the state of the screen, for components deep in the component tree. */
export interface ScreenContextValue {
  /** Whether the terminal supports Kitty's graphics protocol. */
  readonly kitty: boolean;
  /** The number of times that the screen was cleared. Clearing the screen hides every image. */
  readonly redraws: number;
  /** The images that are stored in the terminal, by number. */
  readonly sentImages: Map<number, Uint8Array>;
  /** The first line of the body, and the line after the last line of the body. */
  readonly body: readonly [from: number, to: number];
  /** Receives the total number of lines of the scrollable text. */
  readonly onContentLines: (lines: number) => void;
}

export const ScreenContext = createContext<ScreenContextValue>({
  kitty: false,
  redraws: 0,
  sentImages: new Map(),
  body: [0, 0],
  onContentLines: () => {},
});
