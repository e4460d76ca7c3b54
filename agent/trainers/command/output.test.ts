import { Readable } from 'node:stream';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OutputTail, readStream } from './output.ts';

test('the tail of an output is its last 65,536 characters, regardless of the pieces in which the output arrives', () => {
  const pieces = fc.array(fc.tuple(fc.constantFrom('a', 'bc', 'x\n'), fc.nat({ max: 60_000 })), { maxLength: 8 });
  fc.assert(
    fc.property(pieces, (given) => {
      const tail = new OutputTail();
      let all = '';
      for (const [text, times] of given) {
        tail.add(text.repeat(times));
        all += text.repeat(times);
      }
      expect(tail.text).toBe(all.slice(-65_536).trimEnd());
    }),
    { numRuns: 30 },
  );
});

test('a note about a line is logged after all earlier lines; consecutive lines without a report are logged together', async () => {
  const written: string[] = [];
  const log = {
    text: (text: string) => void written.push(text),
    note: (line: string) => void written.push(`note ${line}`),
  };
  const lines = ['one', 'two', '{3}', 'four', '{5}', 'six'];
  await readStream(
    Readable.from([`${lines.join('\n')}\n`]),
    (line) => {
      if (!line.text.startsWith('{')) return undefined;
      return Promise.resolve().then(() => {
        log.note(line.text);
        return line.text === '{3}' ? { rest: '' } : undefined;
      });
    },
    new OutputTail(),
    log,
  );
  expect(written).toEqual(['one\ntwo\n', 'note {3}', 'four\n', 'note {5}', '{5}\nsix\n']);
});
