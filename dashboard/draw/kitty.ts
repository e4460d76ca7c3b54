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
export const remove = (id: number): string => apc(`a=d,d=i,q=2,i=${id}`);

/** Takes every picture off the screen, and out of the terminal's memory. */
export const CLEAR_PICTURES = apc('a=d,d=A,q=2');

/** Whether the terminal says that it speaks the protocol. tmux does not let it through. */
export function hasKittyGraphics(environment: NodeJS.ProcessEnv): boolean {
  if ((environment.TMUX ?? '') !== '' || /^(screen|tmux)/.test(environment.TERM ?? '')) return false;
  return (
    environment.TERM === 'xterm-kitty' ||
    (environment.KITTY_WINDOW_ID ?? '') !== '' ||
    environment.TERM === 'xterm-ghostty' ||
    environment.TERM_PROGRAM === 'ghostty'
  );
}
