import stringWidth from 'string-width';
import type { ImageSpot } from '../lib/text/segment.ts';

/**
 * The terminal, to itself: the alternate screen without a cursor. Of each frame only the lines that changed are written,
 * each at its place and all between the marks of a synchronized update, so that nothing flickers or tears. A terminal
 * that cannot keep up (a slow ssh) gets the newest frame when it has read the last one.
 */

/** A picture and the line that it is on, from 0. */
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
  #pictures: readonly PlacedImage[] = [];
  readonly #sent = new Set<number>();
  #clear = false;
  #waiting: { lines: readonly string[]; pictures: readonly PlacedImage[] } | undefined;
  #open = false;
  readonly #close = () => this.close();

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  open(): void {
    this.#open = true;
    this.#out.write(OPEN);
    // However the process ends, if it can still do anything at all.
    process.on('exit', this.#close);
    process.on('uncaughtExceptionMonitor', this.#close);
  }

  /** What is on the screen is no longer known: the terminal was resized, or something else wrote to it. */
  forget(): void {
    this.#clear = true;
  }

  /** @param lines painted, from the top of the terminal */
  show(lines: readonly string[], pictures: readonly PlacedImage[] = []): void {
    if (!this.#open) return;
    if (this.#out.writableNeedDrain) {
      if (this.#waiting === undefined) this.#out.once('drain', () => this.#showWaiting());
      this.#waiting = { lines, pictures };
      return;
    }
    const update = this.#difference(lines, pictures);
    if (update !== '') this.#out.write(BEGIN_UPDATE + update + END_UPDATE);
  }

  /** Gives the terminal back as it was. */
  close(): void {
    if (!this.#open) return;
    this.#open = false;
    process.off('exit', this.#close);
    process.off('uncaughtExceptionMonitor', this.#close);
    this.#out.write((this.#sent.size > 0 ? CLEAR_PICTURES : '') + CLOSE);
  }

  #showWaiting(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) this.show(waiting.lines, waiting.pictures);
  }

  #difference(lines: readonly string[], pictures: readonly PlacedImage[]): string {
    let update = '';
    if (this.#clear) {
      update += CLEAR;
      this.#shown = [];
      this.#pictures = [];
      this.#clear = false;
    }
    const columns = this.#out.columns || Number.POSITIVE_INFINITY;
    const height = Math.max(lines.length, this.#shown.length);
    for (let row = 0; row < height; row++) {
      const line = lines[row] ?? '';
      if (line === (this.#shown[row] ?? '')) continue;
      // Behind a line that is full there is nothing to erase, and erasing would take its last character.
      const erase = stringWidth(line) < columns ? '\u001b[K' : '';
      update += `\u001b[${row + 1};1H${line}${erase}`;
    }
    this.#shown = lines;
    return update + this.#pictureDifference(pictures);
  }

  #pictureDifference(pictures: readonly PlacedImage[]): string {
    const key = (all: readonly PlacedImage[]) =>
      all.map(({ number, row, column, columns, lines }) => [number, row, column, columns, lines].join()).join(' ');
    if (key(pictures) === key(this.#pictures)) return '';
    let update = this.#pictures.map(({ number }) => remove(number)).join('');
    for (const { number, png, row, column, columns, lines } of pictures) {
      if (!this.#sent.has(number)) update += transmit(number, png);
      this.#sent.add(number);
      update += place(number, { row: row + 1, column: column + 1, columns, lines });
    }
    this.#pictures = pictures;
    return update;
  }
}

/**
 * Pictures as Kitty's graphics protocol sends them (https://sw.kovidgoyal.net/kitty/graphics-protocol/): the PNG itself,
 * scaled by the terminal into so many columns and lines.
 */

/** Of base64 in one escape sequence. */
const CHUNK = 4096;

const apc = (control: string, payload = ''): string =>
  `\u001b_G${control}${payload === '' ? '' : `;${payload}`}\u001b\\`;

/** Sends a PNG once, under a number. Nothing is shown yet. */
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

/** Shows a picture that was sent, its upper left corner at that cell (from 1); the cursor stays where it is. */
export function place(id: number, at: { row: number; column: number; columns: number; lines: number }): string {
  return `\u001b7\u001b[${at.row};${at.column}H${apc(`a=p,q=2,C=1,i=${id},p=1,c=${at.columns},r=${at.lines}`)}\u001b8`;
}

/** Takes a picture off the screen; the terminal keeps it. */
const remove = (id: number): string => apc(`a=d,d=i,q=2,i=${id}`);

/** Takes every picture off the screen, and out of the terminal's memory. */
const CLEAR_PICTURES = apc('a=d,d=A,q=2');
