import { formatMetric } from '../../../lib/text/numbers.ts';
import { shortId } from '../../../lib/text/short-id.ts';
import { type Chosen, chooseReconstructions } from '../choose-reconstructions.ts';
import type { ReportData } from '../data.ts';
import type { Picture, Section } from '../document.ts';
import { MAX_PICTURE_BYTES } from '../limits.ts';
import { goalOf, objectiveOf, type Space, settingText } from '../trial-results.ts';

/** What the networks make of the same images; no section where no trial has left a picture. */
export function reconstructionsSection(data: ReportData, space: Space): Section | undefined {
  const metric = objectiveOf(data);
  const chosen = chosenReconstructions(data, space);
  const shown = chosen.flatMap(({ label, config, trial }): Picture[] => {
    const reconstruction = data.reconstructions.get(trial.id);
    if (reconstruction === undefined) return [];
    const setting = settingText(space.parameters.get(config) ?? {}, space.varying);
    const caption = [
      `${metric} ${formatMetric(trial.metrics[metric])}`,
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
          'The same test images in every picture of a data set: the inputs in the upper row (with noise on them in a ' +
          'second one where the trial denoises), below them what the network makes of them, of the best seed. One at each ' +
          'value of the parameter that matters most, the others as near to the best config as the sweep has them.',
      },
      { kind: 'pictures', pictures: shown },
      ...(missing === 0
        ? []
        : [
            {
              kind: 'note',
              text: `${missing} of ${chosen.length} chosen trials have no picture that could be shown (up to ${MAX_PICTURE_BYTES / 1024} KiB).`,
            } as const,
          ]),
    ],
  };
}

/** The trials that the section wants a picture of. */
export function chosenReconstructions(data: ReportData, space: Space): Chosen[] {
  return chooseReconstructions(data.configs, data.trials, space, { metric: objectiveOf(data), goal: goalOf(data) });
}
