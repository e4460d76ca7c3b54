import { useStdout } from 'ink';
import { useEffect, useReducer } from 'react';
import type { Dashboard } from '../dashboard.ts';
import type { Size } from '../terminal.ts';
import { CLEAR_SCREEN } from '../terminal-escapes.ts';

/** Ink draws every change within this many milliseconds (see MAX_FPS in main.tsx). */
const DRAWN_AFTER_MS = 50;

/**
 * Passes the size of the terminal to the dashboard. After a resize, or when the process continues in the foreground,
 * the screen is cleared and drawn in full, because Ink by itself writes only changed lines.
 * @param frameSize returns the size of the frame in the terminal
 * @returns the number of times that the screen was cleared
 */
export function useTerminalSize(dashboard: Dashboard, frameSize: () => Size): number {
  const { stdout, write } = useStdout();
  const [redraws, cleared] = useReducer((count: number) => count + 1, 0);
  useEffect(() => {
    let timer: NodeJS.Timeout | undefined;
    const redraw = () => {
      dashboard.resize(frameSize());
      clearTimeout(timer);
      timer = setTimeout(() => {
        write(CLEAR_SCREEN);
        cleared();
      }, DRAWN_AFTER_MS);
    };
    stdout.on('resize', redraw);
    process.on('SIGCONT', redraw);
    return () => {
      clearTimeout(timer);
      stdout.off('resize', redraw);
      process.off('SIGCONT', redraw);
    };
  }, [dashboard, frameSize, stdout, write]);
  return redraws;
}
