import fc from 'fast-check';
import { expect, test } from 'vitest';
import { completeWord, type EditedLine, editLine } from './line-editor.ts';

const typed = (...keys: string[]): EditedLine => keys.reduce(editLine, { text: '', at: 0 });

test('characters are inserted at the cursor', () => {
  expect(typed('a', 'c', 'left', 'b')).toEqual({ text: 'abc', at: 2 });
  expect(typed('a', 'b', 'home', 'x', 'end', 'space', 'y')).toEqual({ text: 'xab y', at: 5 });
});

test('Ctrl-W deletes the word before the cursor, Ctrl-U the text before it, and Ctrl-K the text after it', () => {
  expect(typed('a', 'space', 'b', 'c', 'ctrl-w')).toEqual({ text: 'a ', at: 2 });
  expect(typed('a', 'space', 'b', 'space', 'ctrl-w')).toEqual({ text: 'a ', at: 2 });
  expect(typed('a', 'b', 'left', 'ctrl-u')).toEqual({ text: 'b', at: 0 });
  expect(typed('a', 'b', 'left', 'ctrl-k')).toEqual({ text: 'a', at: 1 });
});

test('whatever keys are pressed, the cursor stays inside the line', () => {
  const key = fc.constantFrom(
    'a',
    '数',
    '👩‍👩‍👧',
    'space',
    'left',
    'right',
    'home',
    'end',
    'backspace',
    'ctrl-w',
    'ctrl-u',
    'up',
    'tab',
  );
  fc.assert(
    fc.property(fc.array(key, { maxLength: 30 }), (keys) => {
      const { text, at } = typed(...keys);
      expect(at).toBeGreaterThanOrEqual(0);
      expect(at).toBeLessThanOrEqual([...text].length);
    }),
  );
});

test('a word is completed to the common start of its candidates; if there is a single candidate, a space follows it', () => {
  const at = (text: string) => ({ text, at: [...text].length });
  expect(completeWord(at('so'), ['sort', 'stop'])).toEqual(at('sort '));
  expect(completeWord(at('sort te'), ['test_loss', 'test_psnr'])).toEqual(at('sort test_'));
  expect(completeWord(at('x=1 and no'), ['noise_std'])).toEqual(at('x=1 and noise_std '));
  expect(completeWord(at('zz'), ['sort'])).toEqual(at('zz'));
});
