/** A dashboard for tests, with a given source and frames drawn by Ink. */
import { renderToString } from 'ink';
import { setColors } from '../../../dashboard/colors.ts';
import { Screen } from '../../../dashboard/components/Screen.tsx';
import { ScreenContext } from '../../../dashboard/components/ScreenContext.ts';
import { Dashboard } from '../../../dashboard/dashboard.ts';
import type { KeyPress } from '../../../dashboard/keys.ts';
import type { Source } from '../../../dashboard/source.ts';
import { bodyLines, HEADER_LINES } from '../../../dashboard/state/layout.ts';
import { StartProgress } from '../../../dashboard/state/start-progress.ts';
import type { Size, TerminalStyle } from '../../../dashboard/terminal.ts';
import { START_MS } from './sample.ts';

export const PLAIN: TerminalStyle = { color: false, ascii: false, plain: true };

const KEYS: Readonly<Record<string, KeyPress>> = {
  enter: { input: '', key: { return: true } },
  escape: { input: '', key: { escape: true } },
  tab: { input: '', key: { tab: true } },
  right: { input: '', key: { rightArrow: true } },
  up: { input: '', key: { upArrow: true } },
  left: { input: '', key: { leftArrow: true } },
  backspace: { input: '', key: { backspace: true } },
  pagedown: { input: '', key: { pageDown: true } },
  'ctrl-c': { input: 'c', key: { ctrl: true } },
};

export interface SampleDashboard {
  readonly dashboard: Dashboard;
  /** Presses keys, then waits until all requests are answered. A key is a name from KEYS, or a character. */
  press(...keys: readonly string[]): Promise<void>;
  /** Waits until all requests are answered. */
  settle(): Promise<void>;
  /** Returns the lines of the frame that Ink draws. */
  frame(): string[];
  readonly happened: string[];
  clock: { now: number };
  stop(): void;
}

export async function sampleDashboard(
  source: Source,
  size: Size,
  more: {
    readonly style?: TerminalStyle;
    readonly readonly?: boolean;
    readonly banner?: string;
    readonly kitty?: boolean;
    /** The startup steps that have been reported. */
    readonly steps?: readonly string[];
  } = {},
): Promise<SampleDashboard> {
  // Earlier tests of this process may have drawn with colors.
  setColors(PLAIN);
  const happened: string[] = [];
  const clock = { now: START_MS + 15_000 };
  const style = more.style ?? PLAIN;
  const progress = new StartProgress();
  for (const step of more.steps ?? []) progress.report(step);
  const dashboard = new Dashboard(source, {
    style,
    kitty: more.kitty ?? false,
    readonly: more.readonly ?? false,
    banner: more.banner ?? '',
    progress,
    size,
    now: () => clock.now,
    onLeave: () => happened.push('left'),
    onInterrupt: () => happened.push('interrupted'),
    onCopy: (text) => happened.push(`copied ${text}`),
    onEnded: () => happened.push('ended'),
    onFailed: (error) => happened.push(`failed: ${error}`),
  });
  await dashboard.watch('last');
  const settle = async () => {
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setImmediate(resolve));
      dashboard.tick();
    }
  };
  await settle();
  return {
    dashboard,
    happened,
    clock,
    settle,
    async press(...keys) {
      for (const key of keys) dashboard.press(KEYS[key] ?? { input: key, key: {} });
      await settle();
    },
    frame() {
      dashboard.publish();
      setColors(style);
      const screen = {
        kitty: more.kitty ?? false,
        redraws: 0,
        sentImages: new Map(),
        body: [HEADER_LINES, HEADER_LINES + bodyLines(size)] as const,
        onContentLines: dashboard.setContentLines,
      };
      const text = renderToString(
        <ScreenContext value={screen}>
          <Screen model={dashboard.model()} />
        </ScreenContext>,
        { columns: size.columns },
      );
      return text.split('\n');
    },
    stop: () => dashboard.stop(),
  };
}
