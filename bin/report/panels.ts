/** Groups configs into panels and lines, so that many configs stay legible. */
import type { Config } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_LINES, MAX_PANELS } from './limits.ts';
import { levelsOf } from './parameter-levels.ts';
import { assignmentsText, type VariedParameters, valuesOf } from './trial-results.ts';

const MAX_PANEL_LEVELS = 4;

interface Group {
  /** The line's index in the legend. */
  readonly series: number;
  readonly configs: readonly Config[];
}

export interface PanelLayout {
  readonly legend: readonly string[];
  readonly panels: readonly { readonly title: string; readonly groups: readonly Group[] }[];
  /** Whether each line shows a single config. */
  readonly isPerConfig: boolean;
  /** Parameters that the lines average over. */
  readonly averaged: readonly string[];
}

/**
 * Gives each config its own line if there are at most MAX_LINES configs. Otherwise, assigns each parameter to the
 * color of the lines, to the panels, or to the average. The color shows the parameter that leaves the fewest parameters
 * to average. Ties go to the parameter that needs the fewest panels, and then to the most important parameter.
 */
export function layOut(configs: readonly Config[], space: VariedParameters): PanelLayout {
  if (configs.length <= MAX_LINES) {
    const legend = configs.map((config) => assignmentsText(space.parameters.get(config) ?? {}, space.varying));
    const groups = configs.map((config, series) => ({ series, configs: [config] }));
    return { legend, panels: [{ title: '', groups }], isPerConfig: true, averaged: [] };
  }
  const [best] = space.independent
    .flatMap((name) => coloredBy(name, configs, space) ?? [])
    .sort((a, b) => a.averaged.length - b.averaged.length || a.panels.length - b.panels.length);
  return best ?? inOneLine(configs, space);
}

function inOneLine(configs: readonly Config[], space: VariedParameters): PanelLayout {
  const panels = [{ title: '', groups: [{ series: 0, configs }] }];
  return { legend: ['all configs'], panels, isPerConfig: false, averaged: space.independent };
}

function coloredBy(color: string, configs: readonly Config[], space: VariedParameters): PanelLayout | undefined {
  const valueIn = (config: Config, name: string) => space.parameters.get(config)?.[name];
  const colors = levelsOf(valuesOf(space, color), MAX_LINES);
  if (colors === undefined) return undefined;
  const exact = new Set(valuesOf(space, color).length <= MAX_LINES ? [color] : []);
  let panels = [{ title: '', configs }];
  for (const name of space.independent) {
    const levels = name === color ? undefined : levelsOf(valuesOf(space, name), MAX_PANEL_LEVELS);
    if (levels === undefined) continue;
    const split = panels.flatMap((panel) =>
      levels.map(({ label, has }) => ({
        title: `${panel.title}${panel.title === '' ? '' : ', '}${name}=${label}`,
        configs: panel.configs.filter((config) => has(valueIn(config, name))),
      })),
    );
    const filled = split.filter((panel) => panel.configs.length > 0);
    if (filled.length > MAX_PANELS) continue;
    panels = filled;
    if (valuesOf(space, name).length <= MAX_PANEL_LEVELS) exact.add(name);
  }
  const grouped = panels.map(({ title, configs: within }) => ({
    title,
    groups: colors
      .map(({ has }, series) => ({ series, configs: within.filter((config) => has(valueIn(config, color))) }))
      .filter((group) => group.configs.length > 0),
  }));
  const whole = grouped.every(({ groups }) => groups.every((group) => group.configs.length === 1));
  return {
    legend: colors.map(({ label }) => `${color}=${label}`),
    panels: grouped,
    isPerConfig: whole,
    averaged: whole ? [] : space.independent.filter((name) => !exact.has(name)),
  };
}
