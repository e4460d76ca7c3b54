/** Sizes as people write them: `512MiB`, `8GiB`, `1.5 GB`. */

const BYTES_PER_UNIT = {
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
  ...{ KB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
} as const;

export const SIZE_PATTERN = /^(?<amount>\d+(?:\.\d+)?) ?(?<unit>[KMGT]i?B)$/;

/** In bytes, rounded up; undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  const { amount, unit } = SIZE_PATTERN.exec(text)?.groups ?? {};
  if (amount === undefined || unit === undefined) return undefined;
  return Math.ceil(Number(amount) * BYTES_PER_UNIT[unit as keyof typeof BYTES_PER_UNIT]);
}
