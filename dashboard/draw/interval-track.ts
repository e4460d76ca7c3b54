/** Draws a mean and its interval on a scale, such as ` ├──●──┤ `. */

export interface Scale {
  readonly low: number;
  readonly high: number;
}

export interface ScaledMean {
  readonly mean: number;
  readonly interval: Scale | undefined;
}

/**
 * Returns a scale that contains all means. The scale also contains the part of each interval that lies within the range
 * of the results.
 */
export function commonScale(means: readonly ScaledMean[], results: Scale): Scale {
  const low = Math.min(
    ...means.map(({ mean, interval }) => Math.min(mean, Math.max(interval?.low ?? mean, results.low))),
  );
  const high = Math.max(
    ...means.map(({ mean, interval }) => Math.max(mean, Math.min(interval?.high ?? mean, results.high))),
  );
  return { low, high };
}

/**
 * Returns the index of the cell that shows a value on a scale of `width` cells. For a value outside the scale, the
 * index can be below 0 or above the index of the last cell.
 */
function cellOf(value: number, { low, high }: Scale, width: number): number {
  // The values are halved first, so that the difference of two huge values is finite.
  const share = high > low ? (value / 2 - low / 2) / (high / 2 - low / 2) : 0.5;
  return Math.round(share * (width - 1));
}

/** Returns a line of `width` cells. An arrow marks each end of the interval that is beyond the scale. */
export function intervalTrack({ mean, interval }: ScaledMean, scale: Scale, width: number): string {
  const cells = new Array<string>(width).fill(' ');
  const at = Math.min(Math.max(0, cellOf(mean, scale, width)), width - 1);
  if (interval !== undefined) {
    const low = cellOf(interval.low, scale, width);
    const high = cellOf(interval.high, scale, width);
    cells.fill('─', Math.max(0, low), Math.min(width - 1, high) + 1);
    cells[Math.max(0, low)] = low < 0 ? '←' : '├';
    cells[Math.min(width - 1, high)] = high > width - 1 ? '→' : '┤';
  }
  cells[at] = '●';
  return cells.join('');
}

/** Returns the axis of a scale, with the values of its ends and, if the label fits, of its middle. */
export function intervalAxis({ low, high }: Scale, width: number, format: (value: number) => string): string {
  const left = format(low);
  const middle = format(low / 2 + high / 2);
  const right = format(high);
  const cells = new Array<string>(width).fill('─');
  const write = (text: string, at: number) =>
    [...text].forEach((character, i) => {
      if (at + i >= 0 && at + i < width) cells[at + i] = character;
    });
  if (high <= low) {
    write(` ${middle} `, Math.floor((width - middle.length - 2) / 2));
    return cells.join('');
  }
  write(`${left} `, 0);
  write(` ${right}`, width - right.length - 1);
  const start = Math.floor((width - middle.length) / 2) - 1;
  const fits = start > left.length + 2 && start + middle.length + 2 < width - right.length - 3;
  if (fits) write(` ${middle} `, start);
  return cells.join('');
}
