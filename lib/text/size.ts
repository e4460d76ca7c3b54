/** Parses and formats sizes such as `512MiB`, `8GiB` and `1.5 GB`. */

const BYTES_PER_UNIT = {
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
} as const;

/** The syntax of a size: a number and a unit, with at most one space between them. */
export const SIZE_PATTERN = /^(?<amount>\d+(?:\.\d+)?) ?(?<unit>[KMGT]i?B)$/;

/** Returns a size in bytes, rounded up, or undefined if the text is not a size. */
export function parseSize(text: string): number | undefined {
  const { amount, unit } = SIZE_PATTERN.exec(text)?.groups ?? {};
  if (amount === undefined || unit === undefined) return undefined;
  return Math.ceil(Number(amount) * BYTES_PER_UNIT[unit as keyof typeof BYTES_PER_UNIT]);
}

/** Formats a size in its largest binary unit with at most one decimal: `512 B`, `1.5 MiB`, `8 GiB`. */
export function formatSize(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  // With one decimal, 1023.95 KiB would be rounded to "1024 KiB".
  const power = units.findIndex((_, at) => at === units.length - 1 || bytes / 1024 ** at < (at === 0 ? 1024 : 1023.95));
  return `${Math.round((bytes / 1024 ** power) * 10) / 10} ${units[power]}`;
}
