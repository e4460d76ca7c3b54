/** Formats values for error messages. */
import { StructuredValue } from '../../proto/values.ts';

const MAX_LENGTH = 60;

/**
 * Formats a value for a message. Text is quoted and shortened. A list or mapping that is the value of a parameter is
 * shown as JSON; any other list or mapping is shown as `a list` or `a mapping`. A missing value is shown as `nothing`.
 */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (value instanceof StructuredValue) return value.data === null ? 'null' : shortened(value.text);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return quote(value);
}

/** Returns text in double quotes. Control characters are escaped, and text after 60 characters is cut off. */
export function quote(text: string): string {
  return JSON.stringify(shortened(text));
}

function shortened(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
