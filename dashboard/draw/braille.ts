/** A canvas of braille dots. Each character has two columns and four rows of dots. */
import type { Segment } from '../../lib/text/segment.ts';
import { seriesStyle } from '../../lib/text/style.ts';

const BRAILLE = 0x2800;
const BITS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
] as const;

/** A vertical edge of a shaded area, in dots from the left and from the top of the canvas. */
type Edge = readonly [x: number, top: number, bottom: number];

export class BrailleCanvas {
  readonly columns: number;
  readonly rows: number;
  readonly #dots: Uint8Array;
  /** The index, plus one, of the series that was drawn last in each cell. Zero if no series was drawn in the cell. */
  readonly #series: Uint8Array;
  readonly #letters = new Map<number, string>();

  /** @param columns the width in characters */
  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#dots = new Uint8Array(columns * rows);
    this.#series = new Uint8Array(columns * rows);
  }

  get width(): number {
    return this.columns * 2;
  }

  get height(): number {
    return this.rows * 4;
  }

  /**
   * @param x dots from the left
   * @param y dots from the top; dots outside the canvas are ignored
   */
  dot(x: number, y: number, series: number): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const cell = Math.floor(y / 4) * this.columns + Math.floor(x / 2);
    this.#dots[cell] = (this.#dots[cell] ?? 0) | (BITS[y % 4]?.[x % 2] ?? 0);
    this.#series[cell] = (series % 255) + 1;
  }

  /** Draws a straight line of dots (Bresenham). */
  stroke(x0: number, y0: number, x1: number, y1: number, series: number): void {
    const dx = Math.abs(x1 - x0);
    const dy = -Math.abs(y1 - y0);
    const stepX = x0 < x1 ? 1 : -1;
    const stepY = y0 < y1 ? 1 : -1;
    let [x, y, error] = [x0, y0, dx + dy];
    for (;;) {
      this.dot(x, y, series);
      if (x === x1 && y === y1) return;
      const twice = 2 * error;
      if (twice >= dy) {
        error += dy;
        x += stepX;
      }
      if (twice <= dx) {
        error += dx;
        y += stepY;
      }
    }
  }

  /** Shades the area between two vertical edges with every eighth dot. */
  shade([x0, top0, bottom0]: Edge, [x1, top1, bottom1]: Edge, series: number): void {
    for (let x = x0; x <= x1; x++) {
      const share = x1 === x0 ? 0 : (x - x0) / (x1 - x0);
      const top = Math.round(top0 + share * (top1 - top0));
      const bottom = Math.round(bottom0 + share * (bottom1 - bottom0));
      for (let y = top; y <= bottom; y++) if (x % 2 === 0 && (y + x) % 4 === 0) this.dot(x, y, series);
    }
  }

  /**
   * Replaces the cell of a dot with a letter. If the cell already has a letter, uses the next free cell on the left.
   */
  letter(x: number, y: number, letter: string, series: number): void {
    const row = Math.floor(y / 4) * this.columns;
    let cell = row + Math.floor(x / 2);
    while (this.#letters.has(cell) && cell > row) cell--;
    this.#letters.set(cell, letter);
    this.#series[cell] = (series % 255) + 1;
  }

  line(row: number): Segment[] {
    const segments: { text: string; style: ReturnType<typeof seriesStyle> }[] = [];
    for (let column = 0; column < this.columns; column++) {
      const cell = row * this.columns + column;
      const owner = this.#series[cell] ?? 0;
      const style = owner === 0 ? undefined : seriesStyle(owner - 1);
      const dots = this.#dots[cell] ?? 0;
      const text = this.#letters.get(cell) ?? (dots === 0 ? ' ' : String.fromCodePoint(BRAILLE + dots));
      const last = segments.at(-1);
      if (last !== undefined && (last.style === style || dots === 0) && !this.#letters.has(cell)) last.text += text;
      else segments.push({ text, style });
    }
    return segments;
  }
}
