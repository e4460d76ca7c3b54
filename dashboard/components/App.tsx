import { useInput } from 'ink';
import type { Dashboard } from '../dashboard.ts';
import { useImages } from '../hooks/use-images.ts';
import { useModel } from '../hooks/use-model.ts';
import { useTerminalSize } from '../hooks/use-terminal-size.ts';
import type { Size } from '../terminal.ts';
import { placedImages } from '../views/frame.ts';
import { Screen } from './Screen.tsx';

interface Props {
  readonly dashboard: Dashboard;
  /** Returns the size of the frame in the terminal. */
  readonly frameSize: () => Size;
}

/** The dashboard in a terminal. */
export function App({ dashboard, frameSize }: Props) {
  const redraws = useTerminalSize(dashboard, frameSize);
  const model = useModel(dashboard);
  useInput((input, key) => dashboard.press({ input, key }));
  useImages(placedImages(model), redraws);
  return <Screen model={model} />;
}
