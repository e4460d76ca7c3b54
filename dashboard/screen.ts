import stringWidth from 'string-width';
import type { ImageSpot } from './draw/line.ts';

/**
 * The terminal's alternate screen, without a cursor. Each frame writes only the changed lines, in one synchronized update, so
 * that nothing flickers. A slow terminal skips frames: after it has read one, it receives the newest.
 */

/** An image and its line, counted from 0. */
export interface PlacedImage extends ImageSpot {
  readonly row: number;
}

const OPEN = '\u001b[?1049h\u001b[?25l\u001b[2J\u001b[H';
const CLOSE = '\u001b[0m\u001b[?25h\u001b[?1049l';
const BEGIN_UPDATE = '\u001b[?2026h';
const END_UPDATE = '\u001b[?2026l';
const CLEAR = '\u001b[0m\u001b[2J';

export class Screen {
  readonly #out: NodeJS.WriteStream;
  #shown: readonly string[] = [];
  #images: readonly PlacedImage[] = [];
  readonly #sent = new Set<number>();
  #clear = false;
  #pending: { lines: readonly string[]; images: readonly PlacedImage[] } | undefined;
  #open = false;
  readonly #close = () => this.close();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  open(): void {
    this.#open = true;
    this.#out.write(OPEN);
    process.on('exit', this.#close);
    process.on('uncaughtExceptionMonitor', this.#close);
  }

  /** Redraws everything in the next frame, because the terminal was resized or another program wrote to it. */
  invalidate(): void {
    this.#clear = true;
  }

  /** @param lines painted lines, from the top of the terminal */
  show(lines: readonly string[], images: readonly PlacedImage[] = []): void {
    if (!this.#open) return;
    if (this.#out.writableNeedDrain) {
      if (this.#pending === undefined) this.#out.once('drain', () => this.#showPending());
      this.#pending = { lines, images };
      return;
    }
    const update = this.#difference(lines, images);
    if (update !== '') this.#out.write(BEGIN_UPDATE + update + END_UPDATE);
  }

  /** Restores the terminal. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    process.off('exit', this.#close);
    process.off('uncaughtExceptionMonitor', this.#close);
    this.#out.write((this.#sent.size > 0 ? CLEAR_IMAGES : '') + CLOSE);
  }

  #showPending(): void {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.show(pending.lines, pending.images);
  }

  #difference(lines: readonly string[], images: readonly PlacedImage[]): string {
    let update = '';
    if (this.#clear) {
      update += CLEAR;
      this.#shown = [];
      this.#images = [];
      this.#clear = false;
    }
    const columns = this.#out.columns || Number.POSITIVE_INFINITY;
    const height = Math.max(lines.length, this.#shown.length);
    for (let row = 0; row < height; row++) {
      const line = lines[row] ?? '';
      if (line === (this.#shown[row] ?? '')) continue;
      // Erasing after a full line would erase its last character.
      const erase = stringWidth(line) < columns ? '\u001b[K' : '';
      update += `\u001b[${row + 1};1H${line}${erase}`;
    }
    this.#shown = lines;
    return update + this.#imageDifference(images);
  }

  #imageDifference(images: readonly PlacedImage[]): string {
    const key = (all: readonly PlacedImage[]) =>
      all.map(({ number, row, column, columns, lines }) => [number, row, column, columns, lines].join()).join(' ');
    if (key(images) === key(this.#images)) return '';
    let update = this.#images.map(({ number }) => remove(number)).join('');
    for (const { number, png, row, column, columns, lines } of images) {
      if (!this.#sent.has(number)) update += transmit(number, png);
      this.#sent.add(number);
      update += showImage(number, { row: row + 1, column: column + 1, columns, lines });
    }
    this.#images = images;
    return update;
  }
}

/**
 * Kitty's graphics protocol (https://sw.kovidgoyal.net/kitty/graphics-protocol/): the terminal receives a PNG once and
 * scales it to a number of columns and lines.
 */

/** The protocol allows at most 4096 bytes of base64 per escape sequence. */
const CHUNK = 4096;

const apc = (control: string, payload = ''): string =>
  `\u001b_G${control}${payload === '' ? '' : `;${payload}`}\u001b\\`;

/** Sends a PNG to the terminal under an id, without showing it. */
export function transmit(id: number, png: Uint8Array): string {
  const base64 = Buffer.from(png).toString('base64');
  let sent = '';
  for (let at = 0; at < base64.length; at += CHUNK) {
    const more = at + CHUNK < base64.length ? 1 : 0;
    const control = at === 0 ? `a=t,f=100,q=2,i=${id},m=${more}` : `q=2,m=${more}`;
    sent += apc(control, base64.slice(at, at + CHUNK));
  }
  return sent;
}

/** Shows a sent image with its upper left corner at a cell (from 1). The cursor does not move. */
export function showImage(id: number, at: { row: number; column: number; columns: number; lines: number }): string {
  return `\u001b7\u001b[${at.row};${at.column}H${apc(`a=p,q=2,C=1,i=${id},p=1,c=${at.columns},r=${at.lines}`)}\u001b8`;
}

/** The terminal keeps the data of a hidden image. */
const remove = (id: number): string => apc(`a=d,d=i,q=2,i=${id}`);

/** Hides every image and frees its memory in the terminal. */
const CLEAR_IMAGES = apc('a=d,d=A,q=2');
