/** Progress lines: on stderr, so that stdout stays free for results. */

/**
 * @param {string} title what every line starts with, such as `set-up`
 * @returns {(line: string) => void}
 */
export function sayer(title) {
  return (line) => process.stderr.write(`${title}: ${line}\n`);
}

/**
 * How long since `startMs`, for the end of a line.
 * @param {number} startMs of performance.now()
 */
export function since(startMs) {
  return `${((performance.now() - startMs) / 1000).toFixed(1)} s`;
}
