import { formatMetric } from '../../../dashboard/draw/numbers.ts';
import { shortId } from '../../../dashboard/draw/short-id.ts';
import { goal } from '../../../proto/names.ts';
import { type Chosen, chooseReconstructions } from '../choose-reconstructions.ts';
import type { ReportData } from '../data.ts';
import type { Picture, Section } from '../document.ts';
import { MAX_PICTURE_BYTES } from '../limits.ts';
import { objectiveOf, type Space, settingText } from '../trial-results.ts';

/** What the networks make of the same images; no section where no trial has left a picture. */
export function reconstructionsSection(data: ReportData, space: Space): Section | undefined {
  const metric = objectiveOf(data);
  const chosen = chosenReconstructions(data, space);
  const shown = chosen.flatMap(({ label, config, trial }): Picture[] => {
    const reconstruction = data.reconstructions.get(trial.id);
    if (reconstruction === undefined) return [];
    const setting = settingText(space.parameters.get(config) ?? {}, space.varying);
    const result = `${metric} ${formatMetric(trial.metrics[metric])}`;
    const caption = `${label}: ${result}; ${setting === '' ? '' : `${setting}; `}trial ${shortId(trial.id)}, epoch ${reconstruction.epoch}`;
    return [{ caption, alt: `Test images and their reconstructions, ${caption}`, png: reconstruction.png }];
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
          'The same test images in every picture: the inputs in the upper row (with noise on them in a second one where ' +
          'the trial denoises), below them what the network makes of them. First the best config; then each value of the ' +
          'parameter that matters most, the others as near to the best as the sweep has them.',
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
  const { sweep, spec, configs, trials } = data;
  const direction = sweep.metric === undefined ? spec.metric.goal : goal.of(sweep.metric.goal);
  return chooseReconstructions(configs, trials, space, { metric: objectiveOf(data), goal: direction });
}
