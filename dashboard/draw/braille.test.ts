import { expect, test } from 'vitest';
import { BrailleCanvas } from './braille.ts';

test('a diagonal line is drawn in braille characters from one corner to the opposite corner', () => {
  const canvas = new BrailleCanvas(2, 1);
  canvas.stroke(0, 3, 3, 0, 0);
  const text = canvas.line(0).map((segment) => segment.text);
  expect(text.join('')).toBe('⡠⠊');
});
