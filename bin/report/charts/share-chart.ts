import { scaleLinear } from 'd3-scale';
import type { ChartDrawing } from '../document.ts';
import { WIDTH } from './plot-area.ts';
import { clipped, element, text } from './svg.ts';

const ROW = 34;
const VALUE = 52;
const MOST_CHARACTERS = 52;

export interface ChartShare {
  readonly label: string;
  /** Share of the total, from 0 to 1. */
  readonly share: number;
  /** Whether this bar is the unexplained remainder. */
  readonly rest: boolean;
}

/** Draws the shares of a total as bars, each below its label. */
export function shareChart(shares: readonly ChartShare[]): ChartDrawing {
  const width = scaleLinear([0, 1], [0, WIDTH - VALUE]).clamp(true);
  const rows = shares.map(({ label, share, rest }, i) => {
    const y = i * ROW;
    return (
      text(0, y + 12, clipped(label, MOST_CHARACTERS), { class: 'label' }) +
      element('rect', { x: 0, y: y + 17, width: width(1), height: 9, rx: 2, class: 'track' }) +
      element('rect', { x: 0, y: y + 17, width: width(share), height: 9, rx: 2, class: rest ? 'rest' : 'f0' }) +
      text(width(1) + 8, y + 25.5, shareText(share))
    );
  });
  return { width: WIDTH, height: shares.length * ROW, content: rows.join('') };
}

/** Formats a share as a percentage, such as `62.1%`. */
export const shareText = (share: number): string => `${(share * 100).toFixed(1)}%`;
