import { useStdout } from 'ink';
import { useEffect, useRef } from 'react';
import type { PlacedImage } from '../draw/line.ts';
import { FREE_IMAGES, hideImage, showImage, transmitImage } from '../terminal-escapes.ts';

/**
 * Shows images over the text with Kitty's graphics protocol.
 * @param redraws the number of times that the screen was cleared, which hides every image
 */
export function useImages(images: readonly PlacedImage[], redraws: number): void {
  const { stdout } = useStdout();
  const shown = useRef<{ key: string; images: readonly PlacedImage[] }>({ key: '0', images: [] });
  const sent = useRef(new Set<number>());
  useEffect(() => {
    const places = images.map(({ number, row, column, columns, lines }) =>
      [number, row, column, columns, lines].join(),
    );
    const key = [redraws, ...places].join(' ');
    if (key === shown.current.key) return;
    const update = shown.current.images.map(({ number }) => hideImage(number));
    for (const { number, png, row, column, columns, lines } of images) {
      if (!sent.current.has(number)) update.push(transmitImage(number, png));
      sent.current.add(number);
      update.push(showImage(number, { row: row + 1, column: column + 1, columns, lines }));
    }
    shown.current = { key, images };
    if (update.length > 0) stdout.write(update.join(''));
  });
  useEffect(
    () => () => {
      if (sent.current.size > 0) stdout.write(FREE_IMAGES);
    },
    [stdout],
  );
}
