import { scaleLinear } from 'd3-scale';
import type { Drawing } from '../document.ts';
import { clipped, element, line, text } from './svg.ts';

const WIDTH = 340;
const ROW = 22;
const LABEL = 130;
const VALUE = 48;

/** Shares of a whole, a bar each. */
export function shareChart(shares: readonly { readonly label: string; readonly share: number }[]): Drawing {
  const x = scaleLinear([0, 1], [LABEL, WIDTH - VALUE]);
  const rows = shares.map(({ label, share }, i) => {
    const y = i * ROW + 4;
    const width = Math.max(0.5, x(Math.max(0, share)) - LABEL);
    return (
      text(LABEL - 6, y + 12, clipped(label, 20), { 'text-anchor': 'end' }) +
      element('rect', { x: LABEL, y: y + 2, width, height: ROW - 8, class: 'f0' }) +
      text(LABEL + width + 5, y + 12, percent(share))
    );
  });
  const height = shares.length * ROW + 8;
  return { width: WIDTH, height, content: rows.join('') + line(LABEL, 2, LABEL, height - 4, 'axis') };
}

export const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
