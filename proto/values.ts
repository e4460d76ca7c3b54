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
 * A list, a mapping or null as a parameter's value. Equal values are one object, so `===`, `includes` and Map keys
 * compare them as they compare numbers. `JSON.stringify` writes the plain value, and `toString` returns its canonical
 * JSON.
 */
export class StructuredValue {
  static readonly #interned = new Map<string, StructuredValue>();

  /** Canonical JSON: keys sorted, no spaces. */
  readonly text: string;
  readonly data: null | readonly Json[] | { readonly [key: string]: Json };

  private constructor(text: string) {
    this.text = text;
    this.data = JSON.parse(text);
    Object.freeze(this);
  }

  /** Returns the object of a list, a mapping or null; equal data has the same object. Numbers inside must be finite. */
  static of(data: StructuredValue['data']): StructuredValue {
    const text = canonicalJson(data);
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
 * must be finite, because JSON writes the others as null.
 */
export function canonicalJson(value: Json): string {
  if (value instanceof StructuredValue) return value.text;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
}

/** Array.isArray does not narrow readonly arrays. */
function isList(value: object): value is readonly Json[] {
  return Array.isArray(value);
}
