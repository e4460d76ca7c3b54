import { ownValue } from '../../../lib/domain/own-value.ts';
import { formatMetric } from '../../../lib/text/numbers.ts';
import { shortId } from '../../../lib/text/short-id.ts';
import { type ChosenReconstruction, chooseReconstructions } from '../choose-reconstructions.ts';
import type { ReportData } from '../data.ts';
import type { ReportImage, Section } from '../document.ts';
import { MAX_IMAGE_BYTES } from '../limits.ts';
import { assignmentsText, objectiveGoal, objectiveOf, type VariedParameters } from '../trial-results.ts';

/**
 * Returns the section with the reconstructions of the same images by several networks. Undefined if no trial stored an
 * image.
 */
export function reconstructionsSection(data: ReportData, space: VariedParameters): Section | undefined {
  const metric = objectiveOf(data);
  const chosen = chosenReconstructions(data, space);
  const shown = chosen.flatMap(({ label, config, trial }): ReportImage[] => {
    const reconstruction = data.reconstructions.get(trial.id);
    if (reconstruction === undefined) return [];
    const setting = assignmentsText(space.parameters.get(config) ?? {}, space.varying);
    const caption = [
      `${metric} ${formatMetric(ownValue(trial.metrics, metric))}`,
      ...(setting === '' ? [] : [setting]),
      `trial ${shortId(trial.id)}, epoch ${reconstruction.epoch}`,
    ].join('; ');
    return [{ title: label, caption, alt: `Test images and their reconstructions, ${label}`, png: reconstruction.png }];
  });
  if (shown.length === 0) return undefined;
  const missing = chosen.length - shown.length;
  return {
    id: 'reconstructions',
    title: 'Reconstructions',
    blocks: [
      {
        kind: 'text',
        text:
          'Each image shows the same test images of a data set: the inputs in the upper row (for a denoising trial, the noisy ' +
          'inputs in the second row) and the reconstructions of the best seed below. If parameters vary, there is one image ' +
          'for each value (or range of values) of the most important parameter; the other parameters are as close to the ' +
          'best config as the sweep allows.',
      },
      { kind: 'images', images: shown },
      ...(missing === 0
        ? []
        : [
            {
              kind: 'note',
              text: `${missing} of ${chosen.length} selected trials have no image of a supported size (up to ${MAX_IMAGE_BYTES / 1024} KiB).`,
            } as const,
          ]),
    ],
  };
}

/** Returns the trials whose images the section shows. */
export function chosenReconstructions(data: ReportData, space: VariedParameters): ChosenReconstruction[] {
  return chooseReconstructions(data.configs, data.trials, space, {
    metric: objectiveOf(data),
    goal: objectiveGoal(data),
  });
}
