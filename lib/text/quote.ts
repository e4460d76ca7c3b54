/** How error messages display values. */
import { StructuredValue } from '../../proto/values.ts';

const MAX_LENGTH = 60;

/** Returns a value for a message: text in quotes and shortened, `nothing`, `a list` or `a mapping`; a parameter's list as JSON. */
export function show(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (value instanceof StructuredValue) return value.data === null ? 'null' : shortened(value.text);
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  return quote(value);
}

/** Returns text in double quotes, with control characters escaped and everything after 60 characters cut. */
export function quote(text: string): string {
  return JSON.stringify(shortened(text));
}

function shortened(text: string): string {
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}
