import { visibleLines } from '../../../lib/text/visible-text.ts';
import type { Figure } from '../document.ts';

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Escapes text for content and for quoted attributes, in HTML and XML. */
export const escapeMarkup = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);

export type SvgAttributes = Readonly<Record<string, string | number>>;

/** Rounds to tenths of a pixel, which keeps a page with many charts small. */
const rounded = (value: string | number) => (typeof value === 'number' ? String(Math.round(value * 10) / 10) : value);

/** Returns an SVG element. @param content escaped markup */
export function element(name: string, attributes: SvgAttributes, content = ''): string {
  const written = Object.entries(attributes).map(([key, value]) => ` ${key}="${escapeMarkup(rounded(value))}"`);
  return content === '' ? `<${name}${written.join('')}/>` : `<${name}${written.join('')}>${content}</${name}>`;
}

export const text = (x: number, y: number, label: string, attributes: SvgAttributes = {}): string =>
  element('text', { x, y, ...attributes }, escapeMarkup(label));

export const line = (x1: number, y1: number, x2: number, y2: number, className: string): string =>
  element('line', { x1, y1, x2, y2, class: className });

/** Shortens a text to `most` characters, and keeps its start and its end. */
export function clipped(label: string, most: number): string {
  const characters = [...label];
  if (characters.length <= most) return label;
  const head = Math.ceil((most - 1) * 0.6);
  return `${characters.slice(0, head).join('')}…${characters.slice(characters.length - (most - 1 - head)).join('')}`;
}

/** Okabe and Ito's colors for color-blind readers, darkened or lightened: https://jfly.uni-koeln.de/color/ */
const LIGHT = ['#0072b2', '#c04d00', '#00795a', '#a2487a', '#8a6d00', '#3b3b3b'];
const DARK = ['#56b4e9', '#ff9352', '#2fc79c', '#e59ac4', '#f0d000', '#d0d0d0'];
const DASHES = ['none', '7 3', '2 3', '9 3 2 3', '4 2', '12 4'];

const variables = (colors: readonly string[], rest: string) =>
  `${colors.map((color, i) => `--s${i}:${color};`).join('')}${rest}`;

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

const COLUMNS = 3;
const GAP = 16;
const TITLE = 20;
const LEGEND_ROW = 18;
/** Approximate width of a label's character in pixels. */
const CHARACTER = 6.3;

export function figureSvg({ title, legend, panels }: Figure): string {
  const columns = Math.min(COLUMNS, panels.length);
  const cellWidth = Math.max(...panels.map(({ drawing }) => drawing.width)) + GAP;
  const above = panels.some(({ title: name }) => name !== '') ? TITLE : 0;
  const cellHeight = Math.max(...panels.map(({ drawing }) => drawing.height)) + above + GAP;
  const width = GAP + columns * cellWidth;
  const room = (pixels: number) => Math.floor(pixels / CHARACTER);
  const labels = legend.filter((label) => label !== '');
  const top = GAP + labels.length * LEGEND_ROW;
  const keys = labels.map((label, series) => {
    const y = GAP + series * LEGEND_ROW;
    return (
      element('line', { x1: GAP, y1: y, x2: GAP + 28, y2: y, class: `line s${series}` }) +
      text(GAP + 36, y + 4, clipped(label, room(width - GAP - 36)))
    );
  });
  const cells = panels.map(({ title: name, drawing: { width, height, content } }, i) => {
    const x = GAP + (i % columns) * cellWidth;
    const y = top + Math.floor(i / columns) * cellHeight;
    const inner = element('svg', { x, y: y + above, width, height, viewBox: `0 0 ${width} ${height}` }, content);
    return text(x, y + 12, clipped(name, room(cellWidth - GAP)), { class: 'title' }) + inner;
  });
  const height = top + Math.ceil(panels.length / columns) * cellHeight;
  const ground = element('rect', { width, height, style: 'fill:var(--ground)' });
  return visibleLines(
    element(
      'svg',
      {
        xmlns: 'http://www.w3.org/2000/svg',
        viewBox: `0 0 ${width} ${height}`,
        width,
        height,
        role: 'img',
        'aria-label': title,
      },
      `${element('style', {}, CHART_STYLE)}${ground}${keys.join('')}${cells.join('')}`,
    ),
  );
}
