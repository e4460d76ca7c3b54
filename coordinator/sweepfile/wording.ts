/** How messages show what a file holds. */

/** The longest text that a message repeats. */
const MAX_SHOWN = 60;

/** A value as a message shows it: text in quotes, long ones cut, control characters escaped. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return quote(value);
}

export function quote(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);
}
