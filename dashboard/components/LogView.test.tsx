import { render } from 'ink-testing-library';
import { expect, test } from 'vitest';
import { midAnswers } from '../../test/support/dashboard/mid-sweep.ts';
import { sampleDashboard } from '../../test/support/dashboard/sample-dashboard.tsx';
import { SampleSource } from '../../test/support/dashboard/sample-source.ts';
import { setColors } from '../colors.ts';
import type { TerminalStyle } from '../terminal.ts';
import { LogView } from './LogView.tsx';
import { TerminalStyleContext } from './TerminalStyle.ts';

const TRIAL = '6e1f2a3b4c5d6e7f';
const COLUMNS = 80;
const LINES = 11;
const PLAIN: TerminalStyle = { color: false, ascii: false, plain: true };

/** A log that grows while the dashboard follows it. */
class GrowingLog implements AsyncIterable<string> {
  readonly #pieces: string[];
  #wake: () => void = () => {};

  constructor(first: string) {
    this.#pieces = [first];
  }

  push(piece: string): void {
    this.#pieces.push(piece);
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (;;) {
      yield* this.#pieces.splice(0);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const numbered = (from: number, to: number): string =>
  Array.from({ length: to - from + 1 }, (_, i) => `step ${from + i}: loss 0.5\n`).join('');

async function start(log: string | GrowingLog) {
  const source = new SampleSource({ ...midAnswers, log });
  const at = await sampleDashboard(source, { columns: COLUMNS, rows: LINES + 8 });
  // G moves the cursor to the last config, whose best trial is the running trial.
  await at.press('G', 'l');
  const drawn = (style: TerminalStyle = PLAIN, trialId = TRIAL): string[] => {
    setColors(style);
    const app = render(
      <TerminalStyleContext value={style}>
        <LogView model={at.dashboard.model()} trialId={trialId} columns={COLUMNS} lines={LINES} />
      </TerminalStyleContext>,
    );
    const frame = app.lastFrame() ?? '';
    app.unmount();
    return frame.split('\n').map((line) => line.trimEnd());
  };
  const status = () => at.frame().at(-2)?.trimEnd();
  return { ...at, drawn, status };
}

test('the heading of a log shows the trial, its attempt, its state and the range of visible lines', async () => {
  const at = await start(numbered(1, 30));
  expect(at.drawn()[0]).toBe('log of trial 6e1f2a3b, attempt 1  running  following  lines 21 to 30 of 30');
  at.stop();
});

test('an empty log of a running trial is shown as "no output yet", and an empty log of an ended trial as "no output"', async () => {
  const at = await start('');
  expect(at.drawn().slice(1)).toEqual(['no output yet']);
  expect(at.drawn(PLAIN, '4e1f2a3b4c5d6e7f').slice(1)).toEqual(['no output']);
  at.stop();
});

test('a log is shown without colors and control characters, and with only the last state of a progress line', async () => {
  const at = await start('\u001b[32mok\u001b[0m\n 10%\r100%\r\na\tb\u0007\n');
  expect(at.drawn().slice(1)).toEqual(['ok', '100%', 'a    b']);
  at.stop();
});

test('a long line wraps at the width of the terminal', async () => {
  const at = await start(`${'x'.repeat(COLUMNS)}yz\n`);
  expect(at.drawn().slice(1)).toEqual(['x'.repeat(COLUMNS), 'yz']);
  at.stop();
});

test('the log view follows new lines, stops when it is scrolled up, and follows again after f', async () => {
  const log = new GrowingLog(numbered(1, 20));
  const at = await start(log);
  expect(at.drawn().at(-1)).toBe('step 20: loss 0.5');
  log.push(numbered(21, 22));
  await at.settle();
  expect(at.drawn().at(-1)).toBe('step 22: loss 0.5');
  await at.press('k');
  log.push(numbered(23, 24));
  await at.settle();
  expect(at.drawn().at(-1)).toBe('step 21: loss 0.5');
  expect(at.drawn()[0]).toContain('3 lines below (f follows)');
  await at.press('f');
  expect(at.drawn().at(-1)).toBe('step 24: loss 0.5');
  await at.press('g');
  expect(at.drawn()[1]).toBe('step 1: loss 0.5');
  await at.press('G');
  expect(at.drawn()[0]).toContain('following');
  at.stop();
});

test('/ searches in a log, n and N move between the matches, and the heading counts the matches', async () => {
  const at = await start(numbered(1, 30));
  await at.press('/', ...'step 2');
  expect(at.drawn()[0]).toContain('"step 2": 11 matches');
  expect(at.status()).toBe('/step 2█');
  await at.press('enter');
  expect(at.drawn()[0]).toContain('"step 2": 3 of 11');
  await at.press('N', 'N');
  expect(at.drawn()[0]).toContain('"step 2": 1 of 11');
  expect(at.drawn().slice(1)).toContain('step 2: loss 0.5');
  await at.press('N', 'n', 'n');
  expect(at.drawn()[0]).toContain('"step 2": 2 of 11');
  await at.press('escape');
  expect(at.drawn()[0]).not.toContain('step 2');
  expect(at.drawn()[0]).toContain('log of trial');
  at.stop();
});

test('the log view shows a message if a search finds no match, or if n is pressed without a search', async () => {
  const at = await start(numbered(1, 30));
  await at.press('n');
  expect(at.status()).toBe('no active search; press / to search');
  await at.press('/', ...'nan', 'enter');
  expect(at.status()).toBe('no line contains "nan"');
  expect(at.drawn()[0]).toContain('"nan": 0 matches');
  await at.press('n');
  expect(at.status()).toBe('no line contains "nan"');
  at.stop();
});

test('matches in a log are highlighted, and the current match is shown in reverse video', async () => {
  const at = await start('epoch 1\nepoch 2\n');
  await at.press('/', ...'epoch', 'enter');
  const [, first, second] = at.drawn({ color: false, ascii: false });
  const esc = String.fromCharCode(27);
  expect(first).toBe(`${esc}[7mepoch${esc}[27m 1`);
  expect(second).toBe(`${esc}[1mepoch${esc}[22m 2`);
  at.stop();
});

test('on a narrow terminal, the heading of a log omits the range of lines, but keeps the search and the number of lines below', async () => {
  const at = await start(numbered(1, 3000));
  await at.press('/', ...'loss', 'enter', 'g');
  const [heading = ''] = at.drawn();
  expect(heading).toMatch(/"loss": [\d,]+ of 3,000 {2}[\d,]+ below$/);
  expect(heading).not.toContain('…');
  at.stop();
});
