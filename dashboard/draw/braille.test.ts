import { expect, test } from 'vitest';
import { BrailleCanvas } from './braille.ts';

test('a braille line goes from corner to corner', () => {
  const canvas = new BrailleCanvas(2, 1);
  canvas.stroke(0, 3, 3, 0, 0);
  const text = canvas.line(0).map((segment) => segment.text);
  expect(text.join('')).toBe('⡠⠊');
});
