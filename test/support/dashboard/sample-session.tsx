/** A session on a source, with its frames drawn by Ink; waits for what it asked for. */
import { render } from 'ink-testing-library';
import type { Look } from '../../../dashboard/draw/paint.ts';
import type { Press } from '../../../dashboard/keys.ts';
import { Session } from '../../../dashboard/session.ts';
import type { Source } from '../../../dashboard/source.ts';
import type { Size } from '../../../dashboard/views/frame.ts';
import { Frame } from './frame.tsx';
import { START_MS } from './sample.ts';

export const PLAIN: Look = { colour: false, ascii: false, plain: true };

const KEYS: Readonly<Record<string, Press>> = {
  enter: { input: '', key: { return: true } },
  escape: { input: '', key: { escape: true } },
  tab: { input: '', key: { tab: true } },
  right: { input: '', key: { rightArrow: true } },
  left: { input: '', key: { leftArrow: true } },
  backspace: { input: '', key: { backspace: true } },
  pagedown: { input: '', key: { pageDown: true } },
  'ctrl-c': { input: 'c', key: { ctrl: true } },
};

export interface SampleSession {
  readonly session: Session;
  /** Presses keys: names as above, else characters. */
  press(...keys: readonly string[]): Promise<void>;
  /** Until everything that was asked for has come. */
  settle(): Promise<void>;
  /** What Ink draws, line by line. */
  frame(): string[];
  readonly happened: string[];
  clock: { now: number };
  stop(): void;
}

export async function sampleSession(
  source: Source,
  size: Size,
  more: { readonly look?: Look; readonly readonly?: boolean; readonly banner?: string; readonly kitty?: boolean } = {},
): Promise<SampleSession> {
  const happened: string[] = [];
  const clock = { now: START_MS + 15_000 };
  const look = more.look ?? PLAIN;
  const session = new Session(source, {
    look,
    kitty: more.kitty ?? false,
    readonly: more.readonly ?? false,
    banner: more.banner ?? '',
    size: () => size,
    now: () => clock.now,
    onChange: () => {},
    onLeave: () => happened.push('left'),
    onInterrupt: () => happened.push('interrupted'),
    onEnded: () => happened.push('ended'),
    onFailed: (error) => happened.push(`failed: ${error}`),
  });
  await session.watch('last');
  const settle = async () => {
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      session.tick();
    }
  };
  await settle();
  return {
    session,
    happened,
    clock,
    settle,
    async press(...keys) {
      for (const key of keys) session.press(KEYS[key] ?? { input: key, key: {} });
      await settle();
    },
    frame() {
      const app = render(<Frame lines={session.frame()} size={size} look={look} />);
      const text = app.lastFrame() ?? '';
      app.unmount();
      return text.split('\n');
    },
    stop: () => session.stop(),
  };
}
