import { useInput, useStdout } from 'ink';
import { useEffect, useMemo, useRef } from 'react';
import type { Dashboard } from '../dashboard.ts';
import { useModel } from '../hooks/use-model.ts';
import { useTerminalSize } from '../hooks/use-terminal-size.ts';
import { bodyLines, HEADER_LINES } from '../state/layout.ts';
import { isMouseReport, mouseEventOf } from '../state/mouse.ts';
import type { Size } from '../terminal.ts';
import { FREE_IMAGES } from '../terminal-escapes.ts';
import { Screen } from './Screen.tsx';
import { ScreenContext, type ScreenContextValue } from './ScreenContext.ts';

interface Props {
  readonly dashboard: Dashboard;
  /** Returns the size of the frame in the terminal. */
  readonly frameSize: () => Size;
}

/** The dashboard in a terminal. */
export function App({ dashboard, frameSize }: Props) {
  const redraws = useTerminalSize(dashboard, frameSize);
  const { model, postpone } = useModel(dashboard);
  useInput((input, key) => {
    if (isMouseReport(input)) {
      const event = mouseEventOf(input);
      if (event === undefined) return;
      dashboard.point(event);
    } else dashboard.press({ input, key });
    postpone();
  });
  const sentImages = useSentImages();
  const { kitty, size } = model;
  const screen = useMemo((): ScreenContextValue => {
    const body = [HEADER_LINES, HEADER_LINES + bodyLines(size)] as const;
    return { kitty, redraws, sentImages, body, onContentLines: dashboard.setContentLines };
  }, [kitty, size, redraws, sentImages, dashboard]);
  return (
    <ScreenContext value={screen}>
      <Screen model={model} />
    </ScreenContext>
  );
}

/** Returns the images that are stored in the terminal. The images are freed when the dashboard closes. */
function useSentImages(): Map<number, Uint8Array> {
  const { stdout } = useStdout();
  const { current } = useRef(new Map<number, Uint8Array>());
  useEffect(
    () => () => {
      if (current.size > 0) stdout.write(FREE_IMAGES);
    },
    [current, stdout],
  );
  return current;
}
