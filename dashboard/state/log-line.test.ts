import fc from 'fast-check';
import { expect, test } from 'vitest';
import { logLine } from './log-line.ts';

test('a log line has no colors and no control characters, and each tab is replaced with spaces', () => {
  expect(logLine('\u001b[31mloss\u001b[0m 0.5')).toBe('loss 0.5');
  expect(logLine('\u001b]0;title\u0007epoch\t1\u0007\u0008')).toBe('epoch    1');
  expect(logLine('plain')).toBe('plain');
  expect(logLine('a\u202eb')).toBe('a\\u{202e}b');
});

test('only the last state of a progress line is shown', () => {
  expect(logLine(' 10%|#   \r 50%|##  \r100%|####')).toBe('100%|####');
  expect(logLine('100%|####\r')).toBe('100%|####');
  expect(logLine('\r\r')).toBe('');
});

test('a line of a log never contains control characters or bidirectional formatting', () => {
  const piece = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\u001b[2J', '\r', '\u009b1m', '\u202e', '\t'));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
      expect(logLine(pieces.join(''))).not.toMatch(/\p{Cc}|\p{Bidi_Control}/u);
    }),
  );
});
