/** A figure as an SVG file of its own: its panels side by side under their legend. */
import { visibleLines } from '../../lib/text/visible-text.ts';
import { CHART_STYLE } from './charts/style.ts';
import { clipped, element, text } from './charts/svg.ts';
import type { Figure } from './document.ts';

const COLUMNS = 3;
const GAP = 16;
const TITLE = 20;
const LEGEND_ROW = 18;
/** Of one character of a label, more or less. */
const CHARACTER = 6.3;

export function sheetOf({ title, legend, panels }: Figure): string {
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
