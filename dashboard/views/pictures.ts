/** Reconstructions of a trial at an epoch. */

import { EMPTY_LINE, line, type StyledLine } from '../../lib/text/segment.ts';
import { imageLines, imageSize, shrinkToFit } from '../draw/pixel-image.ts';
import type { Model, TrialDetail } from '../state/model.ts';

/** The epoch that is shown: so many looks back from the newest. */
export function epochShown({ epochs }: TrialDetail, scrub: number): number | undefined {
  return epochs.at(Math.max(0, epochs.length - 1 - scrub));
}

/** The trial's nearest look that is not later than the epoch, for a comparison at one epoch. */
export function epochAt({ epochs }: TrialDetail, epoch: number): number | undefined {
  return epochs.findLast((own) => own <= epoch) ?? epochs[0];
}

/** @param lines at most so many */
export function reconstruction(
  model: Model,
  detail: TrialDetail | undefined,
  epoch: number | undefined,
  columns: number,
  lines: number,
): StyledLine[] {
  if (detail === undefined) return [line('reconstructions: asking for them...', 'dim')];
  if (epoch === undefined) return [line('no reconstructions', 'dim')];
  const at = detail.epochs.indexOf(epoch);
  const scrubbed = detail.epochs.length > 1 ? ` (${at + 1} of ${detail.epochs.length}: [ and ])` : '';
  const title = line(`after epoch ${epoch}${scrubbed}: input, (noisy,) output`, 'bold');
  const shown = detail.images.get(epoch);
  if (shown === undefined) return [title, line('asking for the picture...', 'dim')];
  const shrink = shrinkToFit(shown.pixels, columns, Math.max(1, lines - 1));
  if (!model.kitty) return [title, ...imageLines(shown.pixels, shrink, model.style)];
  const size = imageSize(shown.pixels, shrink);
  const spot = { number: shown.number, png: shown.png, column: 0, ...size };
  return [title, { segments: [], spot }, ...Array<StyledLine>(size.lines - 1).fill(EMPTY_LINE)];
}
