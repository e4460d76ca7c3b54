/** Encodes a picture with a palette. The file is a third as large as a file that stores the color of each pixel. */
import { encode } from 'fast-png';

/**
 * The possible distances between neighboring values of a color channel. The smallest distance that gives at most
 * MAX_COLORS colors is used.
 */
const STEPS = [8, 17, 24, 36, 51, 85];
const MAX_COLORS = 256;

/** @param pixels four channels per pixel; the picture must be opaque */
export function indexedPng(pixels: Uint8Array, width: number, height: number): Uint8Array {
  for (const step of STEPS) {
    const palette: number[][] = [];
    const places = new Map<number, number>();
    const data = new Uint8Array(width * height);
    for (let at = 0; at < data.length && palette.length <= MAX_COLORS; at++) {
      const color = [0, 1, 2].map((channel) =>
        Math.min(255, Math.round((pixels[at * 4 + channel] ?? 0) / step) * step),
      );
      const [red = 0, green = 0, blue = 0] = color;
      const key = (red << 16) | (green << 8) | blue;
      const place = places.get(key) ?? palette.push(color) - 1;
      places.set(key, place);
      data[at] = place;
    }
    if (palette.length <= MAX_COLORS) return encode({ width, height, data, channels: 1, depth: 8, palette });
  }
  throw new Error('the picture has too many colors');
}
