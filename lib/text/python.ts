/** Formats values like Python's `str`. The agent of W&B writes values this way on a program's command line. */
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { canonicalJson, type ParameterValue, StructuredValue } from '../../proto/values.ts';

/** A number that is written as a Python float, such as `1.0`, even if its value is whole. */
export class PythonFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

const NON_FINITE: ReadonlyMap<string, number> = new Map([
  ['inf', Number.POSITIVE_INFINITY],
  ['-inf', Number.NEGATIVE_INFINITY],
  ['nan', Number.NaN],
]);

/**
 * Returns a copy of a value with some numbers marked as Python floats. The texts `inf`, `-inf` and `nan` also
 * represent floats, because JSON has no such numbers.
 * @param value a JSON value
 * @param isFloat whether the number at a JSON Pointer (RFC 6901) is a float. Default: all numbers are floats
 */
export function withFloats(value: unknown, isFloat: (pointer: string) => boolean = () => true, pointer = ''): unknown {
  if (typeof value === 'number' || typeof value === 'string') {
    const number = typeof value === 'string' ? NON_FINITE.get(value) : value;
    return number !== undefined && isFloat(pointer) ? new PythonFloat(number) : value;
  }
  const inner = (key: string | number, item: unknown) => withFloats(item, isFloat, pointerTo(pointer, key));
  if (Array.isArray(value)) return value.map((item, index) => inner(index, item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, inner(key, item)]));
}

/** The numbers that a sweep file writes as floats, such as `1.0`. */
export type FloatNotation = Pick<ProgramSpec, 'floatParameters' | 'floatValues'>;

/**
 * Returns the value of a parameter as a program receives it: a JSON value in which each number that the sweep file
 * writes as a float is a Python float.
 */
export function programValue(name: string, value: ParameterValue, notation: FloatNotation | undefined): unknown {
  const data = value instanceof StructuredValue ? value.data : value;
  if (notation?.floatParameters.includes(name)) return withFloats(data);
  const ofName = notation?.floatValues.filter(({ parameter }) => parameter === name) ?? [];
  if (ofName.length === 0) return data;
  const text = canonicalJson(value);
  const floats = ofName.find((one) => one.value === text)?.floats ?? [];
  return withFloats(data, (pointer) => floats.includes(pointer));
}

/** Returns the JSON Pointer of an item of a list, or of an entry of a mapping. */
export function pointerTo(parent: string, key: string | number): string {
  return `${parent}/${`${key}`.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}

/**
 * Formats a value like `str`, such as `True`, `None`, `1e-07`, `[64, 32]` or `{'a': 1}`. Text is unchanged at the top
 * level, and quoted inside lists and mappings.
 * @param value a JSON value, which can contain Python floats
 */
export function pythonText(value: unknown): string {
  return typeof value === 'string' ? value : pythonLiteral(value);
}

/** Formats a value like `repr`, with text in quotes. */
export function pythonLiteral(value: unknown): string {
  if (value === null || value === undefined) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (value instanceof PythonFloat || typeof value === 'number') return pythonNumber(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  const entries = Object.entries(value).map(([key, item]) => `${quoted(key)}: ${pythonLiteral(item)}`);
  return `{${entries.join(', ')}}`;
}

/** Formats a value like Python's `json.dumps`: `{"lr": 1e-07, "layers": [64, 32]}`, in ASCII. */
export function pythonJson(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'boolean') return `${value}`;
  if (typeof value === 'string') return jsonText(value);
  if (value instanceof PythonFloat || typeof value === 'number') {
    const number = value instanceof PythonFloat ? value.value : value;
    if (Number.isFinite(number)) return pythonNumber(value);
    return Number.isNaN(number) ? 'NaN' : number < 0 ? '-Infinity' : 'Infinity';
  }
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  const entries = Object.entries(value).map(([key, item]) => `${jsonText(key)}: ${pythonJson(item)}`);
  return `{${entries.join(', ')}}`;
}

function jsonText(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Formats a number. Like Python, writes a float with an exponent if its absolute value is at least 1e16, or less than
 * 1e-4 but not 0. The exponent has at least two digits.
 */
function pythonNumber(number: number | PythonFloat): string {
  const float = number instanceof PythonFloat;
  const value = float ? number.value : number;
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  if (Number.isSafeInteger(value) && !float) return Object.is(value, -0) ? '0' : `${value}`;
  const size = Math.abs(value);
  if (value !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [digits = '', exponent = '0'] = value.toExponential().split('e');
    const power = Number(exponent);
    return `${digits}e${power < 0 ? '-' : '+'}${`${Math.abs(power)}`.padStart(2, '0')}`;
  }
  const plain = Object.is(value, -0) ? '-0' : `${value}`;
  return Number.isInteger(value) ? `${plain}.0` : plain;
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\' };

/** Quotes a text as Python does: with single quotes, unless the text contains single quotes and no double quotes. */
function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const body = Array.from(text, (character) => {
    if (character === quote) return `\\${character}`;
    const escaped = ESCAPES[character];
    if (escaped !== undefined) return escaped;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, '0')}` : character;
  });
  return `${quote}${body.join('')}${quote}`;
}
