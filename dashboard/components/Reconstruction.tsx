import { Box } from 'ink';
import type { TrialDetail } from '../state/model.ts';
import { Label } from './Line.tsx';
import { Picture } from './Picture.tsx';

interface Props {
  readonly detail: TrialDetail | undefined;
  readonly epoch: number | undefined;
  readonly columns: number;
  readonly lines: number;
  /** The number of image pixels per drawn pixel, in each direction. Default: the result of `shrinkToFit`. */
  readonly shrink?: number | undefined;
}

/** The reconstructions of a trial at an epoch. */
export function Reconstruction({ detail, epoch, columns, lines, shrink }: Props) {
  if (detail === undefined) return <Label text="loading reconstructions..." columns={columns} style="dim" />;
  if (epoch === undefined) return <Label text="no reconstructions" columns={columns} style="dim" />;
  const at = detail.epochs.indexOf(epoch);
  const position = detail.epochs.length > 1 ? ` (${at + 1} of ${detail.epochs.length}, [ ] to switch)` : '';
  const heading = `reconstructions after epoch ${epoch}${position}`;
  const whole = `${heading}: input, noisy input (if any), output`;
  const title = whole.length <= columns ? whole : heading;
  const image = detail.images.get(epoch);
  return (
    <Box flexDirection="column" flexShrink={0}>
      <Label text={title} columns={columns} style="bold" />
      {image === undefined ? (
        <Label text="loading the image..." columns={columns} style="dim" />
      ) : (
        <Picture image={image} columns={columns} lines={lines - 1} shrink={shrink} />
      )}
    </Box>
  );
}
