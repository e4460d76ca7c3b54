/**
 * Colours of the charts, for both themes. The series' colours are Okabe and Ito's, told apart by people with any of the
 * common colour blindnesses, darkened for a light ground and lightened for a dark one; each series has a dash of its own
 * too. Source: https://jfly.uni-koeln.de/color/
 */
const LIGHT = ['#0072b2', '#c04d00', '#00795a', '#a2487a', '#8a6d00', '#3b3b3b'];
const DARK = ['#56b4e9', '#ff9352', '#2fc79c', '#e59ac4', '#f0d000', '#d0d0d0'];
const DASHES = ['none', '7 3', '2 3', '9 3 2 3', '4 2', '12 4'];

const variables = (colours: readonly string[], rest: string) =>
  `${colours.map((colour, i) => `--s${i}:${colour};`).join('')}${rest}`;

const series = LIGHT.map(
  (_, i) => `.s${i}{stroke:var(--s${i});stroke-dasharray:${DASHES[i]}}.f${i}{fill:var(--s${i})}`,
).join('');

export const CHART_STYLE = `
:root{${variables(LIGHT, '--ink:#1c2024;--dim:#5c6570;--rule:#d9dee3;--ground:#fff;--raised:#f6f8fa;--shade:#1c202426')}}
@media (prefers-color-scheme:dark){:root{${variables(DARK, '--ink:#e6e9ec;--dim:#9aa4ae;--rule:#363d45;--ground:#15181b;--raised:#1c2024;--shade:#0008')}}}
@media print{:root{${variables(LIGHT, '--ink:#000;--dim:#444;--rule:#ccc;--ground:#fff;--raised:#fff;--shade:transparent')}}}
svg text{font:11px system-ui,sans-serif;fill:var(--dim)}
svg .title{font-weight:600;fill:var(--ink)}
svg .grid{stroke:var(--rule)}
svg .axis{stroke:var(--dim)}
svg .line{fill:none;stroke-width:2}
svg .band{stroke:none;opacity:.14}
svg .label{fill:var(--ink)}
svg .track{fill:var(--rule);opacity:.5}
svg .rest{fill:var(--dim)}
svg .thin{fill:none;stroke-width:1;opacity:.35;stroke-dasharray:none}
svg .plain{fill:none;stroke-width:1.2;opacity:.65;stroke-dasharray:none}
svg .strong{fill:none;stroke-width:2.5;stroke-dasharray:none}
svg .halo{paint-order:stroke;stroke:var(--ground);stroke-width:3px;fill:var(--ink)}
svg .whisker{stroke-width:1.5;stroke-dasharray:none}
${series}`;
