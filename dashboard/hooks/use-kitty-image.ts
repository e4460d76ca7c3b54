import { type DOMElement, useStdout } from 'ink';
import { type RefObject, useContext, useEffect, useRef } from 'react';
import { ScreenContext } from '../components/ScreenContext.ts';
import { hideImage, showImage, transmitImage } from '../terminal-escapes.ts';

interface TerminalImage {
  /** The number that identifies the image in the terminal. */
  readonly number: number;
  readonly png: Uint8Array;
}

/**
 * Uses Kitty's graphics protocol to show an image over an element while the element is inside the body of the screen.
 */
export function useKittyImage(
  element: RefObject<DOMElement | null>,
  { number, png }: TerminalImage,
  { columns, lines }: { readonly columns: number; readonly lines: number },
): void {
  const { stdout } = useStdout();
  const { redraws, sentImages, body } = useContext(ScreenContext);
  const shown = useRef('');
  useEffect(() => {
    if (element.current === null) return;
    const { row, column } = positionOf(element.current);
    const visible = row >= body[0] && row + lines <= body[1];
    const place = visible ? [redraws, number, row, column, columns, lines].join(' ') : '';
    if (place === shown.current) return;
    shown.current = place;
    const update = [hideImage(number)];
    if (visible) {
      if (sentImages.get(number) !== png) update.push(transmitImage(number, png));
      sentImages.set(number, png);
      update.push(showImage(number, { row: row + 1, column: column + 1, columns, lines }));
    }
    stdout.write(update.join(''));
  });
  useEffect(
    () => () => {
      shown.current = '';
      stdout.write(hideImage(number));
    },
    [stdout, number],
  );
}

/** Returns the position of an element on the screen, counted from 0. */
function positionOf(element: DOMElement): { row: number; column: number } {
  let [row, column] = [0, 0];
  for (let node: DOMElement | undefined = element; node !== undefined; node = node.parentNode) {
    row += node.yogaNode?.getComputedTop() ?? 0;
    column += node.yogaNode?.getComputedLeft() ?? 0;
  }
  return { row, column };
}
