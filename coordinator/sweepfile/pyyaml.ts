/**
 * Reads plain scalars as PyYAML (YAML 1.1) does, where the result differs from YAML 1.2. W&B reads its files with
 * PyYAML.
 */
import { PythonFloat, pythonText } from '../../lib/text/python.ts';

const TRUE = /^(?:yes|Yes|YES|on|On|ON)$/;
const FALSE = /^(?:no|No|NO|off|Off|OFF)$/;
const BINARY = /^[+-]?0b[01_]+$/;
const OCTAL = /^[+-]?0[0-7_]+$/;
const HEXADECIMAL = /^[+-]?0x[\da-fA-F_]+$/;
const DECIMAL = /^[+-]?[1-9][\d_]*$/;
const FLOAT = /^(?:[+-]?\d[\d_]*\.[\d_]*|\.\d[\d_]*)(?:[eE][+-]\d+)?$/;
const SEXAGESIMAL = /^[+-]?(?:[1-9][\d_]*(?::[0-5]?\d)+|\d[\d_]*(?::[0-5]?\d)+\.[\d_]*)$/;
const NON_FINITE = /^(?:[+-]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
/** Scalars such as `08` and `0o17`, which are numbers in YAML 1.2 and text in PyYAML. */
const TEXT = /^(?:0o[0-7]+|[+-]?0\d*[89]\d*)$/;

/**
 * Returns the value of a plain scalar in PyYAML, or undefined if YAML 1.2 gives the same value. Numbers such as `1e-5`,
 * which are text to PyYAML, stay numbers, because W&B's server reads them as numbers and its agent passes them on as
 * `1e-05`.
 */
export function pyyamlValue(source: string): boolean | number | string | undefined {
  if (TRUE.test(source)) return true;
  if (FALSE.test(source)) return false;
  if (TEXT.test(source)) return source;
  if (NON_FINITE.test(source)) return nonFiniteText(source);
  const digits = source.replaceAll('_', '').replace(/^[+-]/, '');
  const magnitude = magnitudeOf(source, digits);
  if (magnitude === undefined || Number.isNaN(magnitude)) return undefined;
  return source.startsWith('-') && magnitude !== 0 ? -magnitude : magnitude;
}

/** Returns the text of a non-finite number in Python's notation. JSON has no notation for such numbers. */
function nonFiniteText(source: string): string {
  return source.toLowerCase().replace(/^\+/, '').replace('.', '');
}

/**
 * Returns the argument that W&B's agent writes for a plain scalar in a command: Python's `str` of the value that PyYAML
 * reads.
 * @param value the value in YAML 1.2
 */
export function pyyamlArgument(source: string, value: unknown): string {
  const read = pyyamlValue(source) ?? value;
  const isText = typeof read === 'number' && /^[^x]*e/i.test(source) && !FLOAT.test(source);
  if (isText) return source;
  return pythonText(typeof read === 'number' && FLOAT.test(source) ? new PythonFloat(read) : read);
}

/** Returns whether a plain scalar is a number that is not finite, such as `.inf`. */
export function isNonFinite(source: string): boolean {
  return NON_FINITE.test(source);
}

function magnitudeOf(source: string, digits: string): number | undefined {
  if (BINARY.test(source) || HEXADECIMAL.test(source)) return digits.length > 2 ? Number(digits) : undefined;
  if (OCTAL.test(source)) return Number.parseInt(digits, 8);
  if (SEXAGESIMAL.test(source)) return digits.split(':').reduce((total, part) => total * 60 + Number(part), 0);
  return source.includes('_') && (DECIMAL.test(source) || FLOAT.test(source)) ? Number(digits) : undefined;
}
