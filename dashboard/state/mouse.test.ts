import { expect, test } from 'vitest';
import { isMouseReport, mouseEventOf } from './mouse.ts';

test('the wheel and left-button presses are events; releases and other buttons are ignored', () => {
  expect(mouseEventOf('[<64;10;5M')).toEqual({ kind: 'wheel', by: -1 });
  expect(mouseEventOf('[<65;10;5M')).toEqual({ kind: 'wheel', by: 1 });
  expect(mouseEventOf('[<0;10;5M')).toEqual({ kind: 'press', row: 4 });
  expect(mouseEventOf('[<0;10;5m')).toBeUndefined();
  expect(mouseEventOf('[<2;10;5M')).toBeUndefined();
});

test('ordinary text is not read as a mouse event', () => {
  expect(isMouseReport('[<2;10;5m')).toBe(true);
  for (const input of ['[', 'x', '[<', '[<1;2M']) expect(isMouseReport(input)).toBe(false);
});
