/** Defines the values of parameters: numbers, text, booleans, and structured values (lists, mappings and null). */

/** A value that JSON.stringify writes without loss. */
export type Json =
  | null
  | boolean
  | number
  | string
  | StructuredValue
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * A list, a mapping or null as a parameter's value. Values with the same JSON are one object, so `===`, `includes` and
 * Map keys compare them by value, as with numbers. The keys of a mapping keep the order of the sweep file, because the
 * program receives them in this order. Within a sweep, equal mappings have the same order of keys (see
 * `withOneSpelling`), so they are also one object. `JSON.stringify` writes the plain value, and `toString` returns its
 * JSON.
 */
export class StructuredValue {
  static readonly #interned = new Map<string, StructuredValue>();

  /** The value as JSON without spaces. The order of keys is kept. */
  readonly text: string;
  /** The value in canonical form, which does not depend on the order of keys. See `canonicalJson`. */
  readonly canonical: string;
  readonly data: null | readonly Json[] | { readonly [key: string]: Json };

  private constructor(text: string) {
    this.text = text;
    this.data = JSON.parse(text);
    this.canonical = canonicalJson(this.data);
    Object.freeze(this);
  }

  /** Returns the object that represents a list, a mapping or null. Numbers inside must be finite. */
  static of(data: StructuredValue['data']): StructuredValue {
    const text = JSON.stringify(data);
    const known = StructuredValue.#interned.get(text);
    if (known !== undefined) return known;
    const value = new StructuredValue(text);
    StructuredValue.#interned.set(text, value);
    return value;
  }

  toJSON(): StructuredValue['data'] {
    return this.data;
  }

  toString(): string {
    return this.text;
  }
}

export type ParameterValue = number | string | boolean | StructuredValue;

/** Converts a JSON value to a parameter's value. */
export function parameterValue(data: Json): ParameterValue {
  if (typeof data !== 'object' || data instanceof StructuredValue) return data;
  return StructuredValue.of(data);
}

/** Reads parameters from the text that JSON.stringify wrote. */
export function parseParameters(text: string): Record<string, ParameterValue> {
  const data: Record<string, Json> = JSON.parse(text);
  return Object.fromEntries(Object.entries(data).map(([name, value]) => [name, parameterValue(value)]));
}

/**
 * Returns JSON with one spelling per value, so that equal values have equal hashes. Keys are sorted by code unit, there
 * are no spaces, and numbers have their shortest form (`1e-5` and `0.00001` are the same, and `-0` is `0`). Numbers
 * must be finite, because JSON writes other numbers as null.
 */
export function canonicalJson(value: Json): string {
  if (value instanceof StructuredValue) return value.canonical;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}

/**
 * Returns a copy of the data in which equal mappings have the same order of keys, namely the order of the first of
 * them.
 */
export function withOneSpelling(data: unknown): unknown {
  const first = new Map<string, unknown>();
  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit);
    if (typeof value !== 'object' || value === null) return value;
    const mapping = Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item)]));
    const spelling = canonicalJson(mapping as Json);
    const known = first.get(spelling);
    if (known !== undefined) return known;
    first.set(spelling, mapping);
    return mapping;
  };
  return visit(data);
}

/** Array.isArray does not narrow readonly arrays. */
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
