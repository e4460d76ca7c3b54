import { Box, type DOMElement } from 'ink';
import { useContext, useMemo, useRef } from 'react';
import { imageLines, imageSize, shrinkToFit } from '../draw/pixel-image.ts';
import { useKittyImage } from '../hooks/use-kitty-image.ts';
import type { ReconstructionImage } from '../state/model.ts';
import { Line } from './Line.tsx';
import { ScreenContext } from './ScreenContext.ts';
import { TerminalStyleContext } from './TerminalStyle.ts';

interface Props {
  readonly image: ReconstructionImage;
  /** The maximum size of the image, in columns and lines. */
  readonly columns: number;
  readonly lines: number;
  /** The number of image pixels per drawn pixel, in each direction. Default: the result of `shrinkToFit`. */
  readonly shrink?: number | undefined;
}

/**
 * An image, as large as possible. Uses Kitty's graphics protocol if the terminal supports it, and otherwise characters
 * (see pixel-image.ts).
 */
export function Picture({ image, columns, lines, shrink: given }: Props) {
  const { kitty } = useContext(ScreenContext);
  const shrink = given ?? shrinkToFit(image.pixels, columns, Math.max(1, lines));
  return kitty ? <KittyPicture image={image} shrink={shrink} /> : <BlockPicture image={image} shrink={shrink} />;
}

interface ScaledProps {
  readonly image: ReconstructionImage;
  readonly shrink: number;
}

function BlockPicture({ image: { pixels }, shrink }: ScaledProps) {
  const style = useContext(TerminalStyleContext);
  const rows = useMemo(() => imageLines(pixels, shrink, style), [pixels, shrink, style]);
  const { columns } = imageSize(pixels, shrink);
  return (
    <Box flexDirection="column" flexShrink={0}>
      {rows.map((segments, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a line has no key other than its index
        <Line key={row} segments={segments} columns={columns} />
      ))}
    </Box>
  );
}

/** Reserves the space over which the terminal draws an image. */
function KittyPicture({ image, shrink }: ScaledProps) {
  const space = useRef<DOMElement>(null);
  const { columns, lines } = imageSize(image.pixels, shrink);
  useKittyImage(space, image, { columns, lines });
  return <Box ref={space} width={columns} height={lines} flexShrink={0} />;
}
