/** Columns between two cells. */
export const GAP = 2;

/** No text column is cut below this; a shorter one says nothing. */
const MIN_TEXT_WIDTH = 8;

export interface ColumnNeed {
  /** Columns of the widest cell, the header included. */
  readonly natural: number;
  /** Only text may be cut: a number with its end missing is another number. */
  readonly mayCut: boolean;
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, w) => sum + w, 0) + GAP * Math.max(0, widths.length - 1);
}

/** Lowers the widest text columns to one common level, as far as is needed and no further. */
function cutWidest(needs: readonly ColumnNeed[], available: number): number[] {
  const widths = needs.map((need) => need.natural);
  while (total(widths) > available) {
    let widest = -1;
    for (let i = 0; i < widths.length; i++) {
      const width = widths[i] ?? 0;
      if (needs[i]?.mayCut && width > MIN_TEXT_WIDTH && (widest < 0 || width > (widths[widest] ?? 0))) widest = i;
    }
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return widths;
}

/**
 * Widths for as many leading columns as fit into `available` terminal columns (undefined: no limit). Text is cut first,
 * the widest column first; what still does not fit is left out from the right. The first column always stays.
 */
export function fitColumns(needs: readonly ColumnNeed[], available: number | undefined): number[] {
  if (available === undefined) return needs.map((need) => need.natural);
  for (let count = needs.length; count > 1; count--) {
    const widths = cutWidest(needs.slice(0, count), available);
    if (total(widths) <= available) return widths;
  }
  return needs.slice(0, 1).map((need) => Math.min(need.natural, available));
}
