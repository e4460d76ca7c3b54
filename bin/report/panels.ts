/** Which configs share a panel, and which a line: so that many configs stay legible. */
import type { Config } from '../../proto/gen/trawl/v1/types.ts';
import { MAX_LINES, MAX_PANELS } from './limits.ts';
import { levelsOf } from './parameter-levels.ts';
import { type Space, settingText, valuesOf } from './trial-results.ts';

/** Values of one parameter that become panels; more numbers than these are taken together in ranges. */
const MAX_PANEL_LEVELS = 4;

export interface Group {
  /** Its line's place in the legend. */
  readonly series: number;
  readonly configs: readonly Config[];
}

export interface Layout {
  readonly legend: readonly string[];
  readonly panels: readonly { readonly title: string; readonly groups: readonly Group[] }[];
  /** Whether each line is one config. */
  readonly whole: boolean;
  /** Parameters that the lines average over. */
  readonly averaged: readonly string[];
}

/** The parameter that matters most is the colour, the next ones make the panels, the rest is averaged over. */
export function layOut(configs: readonly Config[], space: Space): Layout {
  if (configs.length <= MAX_LINES) {
    const legend = configs.map((config) => settingText(space.parameters.get(config) ?? {}, space.varying));
    const groups = configs.map((config, series) => ({ series, configs: [config] }));
    return { legend, panels: [{ title: '', groups }], whole: true, averaged: [] };
  }
  const colour = firstWithLevels(space, MAX_LINES);
  let panels = [{ title: '', configs }];
  const shown = new Set(colour === undefined ? [] : [colour.name]);
  const exact = new Set(
    space.independent.filter((name) => shown.has(name) && valuesOf(space, name).length <= MAX_LINES),
  );
  for (const name of space.independent) {
    const levels = shown.has(name) ? undefined : levelsOf(valuesOf(space, name), MAX_PANEL_LEVELS);
    if (levels === undefined || panels.length * levels.length > MAX_PANELS) continue;
    shown.add(name);
    if (valuesOf(space, name).length <= MAX_PANEL_LEVELS) exact.add(name);
    panels = panels.flatMap((panel) =>
      levels.map(({ label, has }) => ({
        title: `${panel.title}${panel.title === '' ? '' : ', '}${name}=${label}`,
        configs: panel.configs.filter((config) => has(space.parameters.get(config)?.[name])),
      })),
    );
  }
  const filled = panels.filter((panel) => panel.configs.length > 0);
  const grouped = filled.map(({ title, configs: within }) => ({
    title,
    groups:
      colour === undefined
        ? [{ series: 0, configs: within }]
        : colour.levels
            .map(({ has }, series) => ({
              series,
              configs: within.filter((config) => has(space.parameters.get(config)?.[colour.name])),
            }))
            .filter((group) => group.configs.length > 0),
  }));
  const whole = grouped.every(({ groups }) => groups.every((group) => group.configs.length === 1));
  return {
    legend: colour === undefined ? ['all configs'] : colour.levels.map(({ label }) => `${colour.name}=${label}`),
    panels: grouped,
    whole,
    averaged: whole ? [] : space.independent.filter((name) => !exact.has(name)),
  };
}

function firstWithLevels(space: Space, most: number) {
  for (const name of space.independent) {
    const levels = levelsOf(valuesOf(space, name), most);
    if (levels !== undefined) return { name, levels };
  }
  return undefined;
}
