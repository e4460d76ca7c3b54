/**
 * The escape sequences for which Ink has no component: the alternate screen, images, the clipboard and the mouse.
 */

/**
 * Clears the line of the cursor, and enters the alternate screen. Keys that were typed before the program started are
 * cleared in this way, because the terminal has echoed them in this line. Ink hides the cursor.
 */
export const ENTER_SCREEN = '\r\u001b[K\u001b[?1049h\u001b[2J\u001b[H';

/** Leaves the alternate screen and shows the cursor. */
export const LEAVE_SCREEN = '\u001b[0m\u001b[?25h\u001b[?1049l';

export const CLEAR_SCREEN = '\u001b[0m\u001b[2J\u001b[H';

/**
 * The maximum number of bytes of base64 per escape sequence of Kitty's graphics protocol
 * (https://sw.kovidgoyal.net/kitty/graphics-protocol/). In this protocol, the terminal receives a PNG once, and scales
 * it to a number of columns and lines.
 */
const CHUNK = 4096;

const apc = (control: string, payload = ''): string =>
  `\u001b_G${control}${payload === '' ? '' : `;${payload}`}\u001b\\`;

/** Sends a PNG to the terminal under an id, without showing it. */
export function transmitImage(id: number, png: Uint8Array): string {
  const base64 = Buffer.from(png).toString('base64');
  let sent = '';
  for (let at = 0; at < base64.length; at += CHUNK) {
    const more = at + CHUNK < base64.length ? 1 : 0;
    const control = at === 0 ? `a=t,f=100,q=2,i=${id},m=${more}` : `q=2,m=${more}`;
    sent += apc(control, base64.slice(at, at + CHUNK));
  }
  return sent;
}

/**
 * Shows an image that was sent. The upper left corner of the image is in the cell `at`, counted from 1. The cursor does
 * not move.
 */
export function showImage(id: number, at: { row: number; column: number; columns: number; lines: number }): string {
  return `\u001b7\u001b[${at.row};${at.column}H${apc(`a=p,q=2,C=1,i=${id},p=1,c=${at.columns},r=${at.lines}`)}\u001b8`;
}

/** Hides an image. The terminal keeps the data of the image. */
export const hideImage = (id: number): string => apc(`a=d,d=i,q=2,i=${id}`);

/** Hides every image and frees the memory of the images in the terminal. */
export const FREE_IMAGES = apc('a=d,d=A,q=2');

/**
 * Copies text to the clipboard of the terminal (OSC 52). The sequence also works over ssh. Terminals that do not
 * support the sequence ignore it.
 */
export const copyText = (text: string): string => `\u001b]52;c;${Buffer.from(text).toString('base64')}\u0007`;

/**
 * Makes the terminal report button presses and wheel turns of the mouse (SGR mode). In most terminals, the user can
 * still select text while Shift is held.
 */
export const MOUSE_ON = '\u001b[?1000h\u001b[?1006h';
export const MOUSE_OFF = '\u001b[?1006l\u001b[?1000l';
