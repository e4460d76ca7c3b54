import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogTextFormatter, MAX_LINE, type OutputLine, OutputLines } from './output-lines.ts';

const cut = (...pieces: readonly string[]): OutputLine[] => {
  const lines = new OutputLines();
  return [...pieces.flatMap((piece) => [...lines.push(piece)]), ...lines.end()];
};

const logOf = (output: string, isReport: (text: string) => boolean = () => false): string => {
  const log = new LogTextFormatter();
  return cut(output)
    .map((line) => log.text(line, isReport(line.text)))
    .concat(log.end())
    .join('');
};

describe('lines', () => {
  test.each([
    ['a\nb\n', ['a', 'b']],
    ['a\r\nb', ['a', 'b']],
    ['10%\r20%\r{"epoch":1}\n', ['10%', '20%', '{"epoch":1}']],
    ['a\r', ['a']],
    ['\n\n', ['', '']],
  ])('the output %j has the lines %j', (output, expected) => {
    expect(cut(output).map(({ text }) => text)).toEqual(expected);
  });

  test('the lines do not depend on the pieces in which output arrives', () => {
    const output = 'one\r\ntwo\r3\rfour\n\r\nfive\r';
    const whole = cut(output);
    fc.assert(
      fc.property(fc.array(fc.nat(output.length)), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), output.length];
        expect(cut(...at.slice(1).map((end, i) => output.slice(at[i], end)))).toEqual(whole);
      }),
    );
  });

  test('a line that is too long is passed on in parts, and these parts are never read as reports', () => {
    const [first, last] = cut('x'.repeat(MAX_LINE + 1), 'y\n');
    expect([first?.whole, first?.end, last?.whole, last?.end, last?.text]).toEqual([false, 'none', false, 'line', 'y']);
  });
});

describe('log text', () => {
  test.each([
    ['plain\nlines\n', 'plain\nlines\n'],
    ['\r 10%|#  |\r 50%|## |\r100%|###|\nnext\n', '100%|###|\nnext\n'],
    ['10%\r20%\r\n', '20%\n'],
    ['10%\r20%', '20%'],
    ['10%\r20%\r', '20%'],
    ['\u001b[32mgreen\u001b[0m \u001b]0;title\u0007text\n', 'green text\n'],
    ['bell\u0007 and\ttab\n', 'bell and\ttab\n'],
    ['a\n\nb\n', 'a\n\nb\n'],
  ])('%j is logged as %j', (output, expected) => {
    expect(logOf(output)).toBe(expected);
  });

  test('a report after a progress bar is not logged, but the last state of the bar is logged', () => {
    const isReport = (text: string) => text.startsWith('{');
    expect(logOf('{"epoch":1}\n10%\r100%\r{"epoch":2}\nend\n', isReport)).toBe('100%\nend\n');
  });
});
