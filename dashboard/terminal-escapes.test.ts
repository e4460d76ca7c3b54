import { expect, test } from 'vitest';
import { ENTER_SCREEN, showImage, transmitImage } from './terminal-escapes.ts';

test('a PNG is sent in chunks that add up to the whole file', () => {
  const png = Uint8Array.from({ length: 10_000 }, (_, i) => i % 251);
  const chunks = transmitImage(7, png).split('\u001b\\').filter(Boolean);
  expect(chunks[0]).toSatisfy((chunk: string) => chunk.startsWith('\u001b_Ga=t,f=100,q=2,i=7,m=1;'));
  expect(chunks.at(-1)).toSatisfy((chunk: string) => chunk.startsWith('\u001b_Gq=2,m=0;'));
  const payload = chunks.map((chunk) => chunk.slice(chunk.indexOf(';') + 1)).join('');
  expect(Uint8Array.from(Buffer.from(payload, 'base64'))).toEqual(png);
  expect(showImage(7, { row: 3, column: 2, columns: 40, lines: 6 })).toContain('\u001b[3;2H');
});

test('before the program enters the alternate screen, it clears the current line, where the terminal may have echoed keys', () => {
  expect(ENTER_SCREEN.startsWith('\r\u001b[K\u001b[?1049h')).toBe(true);
});
