/** Draws grayscale images with characters: two pixels per character if the terminal has colors, shades otherwise. */

import type { Segment } from '../../lib/text/segment.ts';
import type { TerminalStyle } from '../terminal.ts';

export interface PixelImage {
  readonly width: number;
  readonly height: number;
  /** The pixels row by row from the top, each from 0 (black) to 255 (white). */
  readonly pixels: Uint8Array;
}

const GRAYS = 24;
const SHADES = ' ░▒▓█';
const ASCII_SHADES = ' .:-=+*#%@';

/** Returns the columns and lines of an image scaled by 1 / `shrink`. */
export function imageSize({ width, height }: PixelImage, shrink: number): { columns: number; lines: number } {
  return { columns: Math.ceil(width / shrink), lines: Math.ceil(height / shrink / 2) };
}

/** Returns the factor by which the image must be shrunk to fit: at least 1, and rounded up to a multiple of 1/8. */
export function shrinkToFit(image: PixelImage, columns: number, lines: number): number {
  const exact = Math.max(1, image.width / Math.max(1, columns), image.height / 2 / Math.max(1, lines));
  return Number.isInteger(exact) ? exact : Math.ceil(exact * 8) / 8;
}

/** @param shrink number of image pixels per drawn pixel, in each direction */
export function imageLines(image: PixelImage, shrink: number, terminal: TerminalStyle): Segment[][] {
  const { columns, lines } = imageSize(image, shrink);
  const shades = terminal.ascii ? ASCII_SHADES : SHADES;
  return Array.from({ length: lines }, (_, row) => {
    const segments: { text: string; grays?: Segment['grays'] }[] = [];
    for (let column = 0; column < columns; column++) {
      const upper = mean(image, column, row * 2, shrink);
      const lower = mean(image, column, row * 2 + 1, shrink);
      if (!terminal.color || terminal.ascii) {
        const level = Math.round(((upper + lower) / 510) * (shades.length - 1));
        segments.push({ text: shades[level] ?? ' ' });
        continue;
      }
      const grays = [gray(upper), gray(lower)] as const;
      const last = segments.at(-1);
      if (last?.grays?.[0] === grays[0] && last.grays[1] === grays[1]) last.text += '▀';
      else segments.push({ text: '▀', grays });
    }
    return segments;
  });
}

const gray = (value: number): number => Math.round((value / 255) * (GRAYS - 1));

function mean({ width, height, pixels }: PixelImage, x: number, y: number, shrink: number): number {
  const [fromX, toX] = [
    Math.floor(x * shrink),
    Math.min(width, Math.max(Math.floor(x * shrink) + 1, Math.floor((x + 1) * shrink))),
  ];
  const [fromY, toY] = [
    Math.floor(y * shrink),
    Math.min(height, Math.max(Math.floor(y * shrink) + 1, Math.floor((y + 1) * shrink))),
  ];
  let sum = 0;
  let count = 0;
  for (let row = fromY; row < toY; row++) {
    for (let column = fromX; column < toX; column++) {
      sum += pixels[row * width + column] ?? 0;
      count++;
    }
  }
  return count === 0 ? 0 : sum / count;
}
