/** Converts the values of a document to parameter values. */
import { parameterName } from '../../lib/domain/parameters.ts';
import { type ParameterValue, parameterValue } from '../../proto/values.ts';
import type { Located } from './problems.ts';
import { isNonFinite } from './pyyaml.ts';

/** Converts a value from a document, such as a number or a nested list, to a parameter value. */
export function parameterOf(data: unknown): ParameterValue {
  if (typeof data === 'number' || typeof data === 'string' || typeof data === 'boolean') return data;
  return parameterValue(JSON.parse(JSON.stringify(written(data) ?? null)));
}

function written(data: unknown): unknown {
  if (Array.isArray(data)) return data.map(written);
  if (typeof data !== 'object' || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [parameterName(key), written(value)]));
}

/** Returns whether a number is a whole number written as a float (`1.0`, `1e3`), or is not finite (`.inf`). */
export function isFloat({ data, source = '' }: Pick<Located, 'data' | 'source'>): boolean {
  if (isNonFinite(source)) return true;
  return Number.isInteger(data) && /[.e]/i.test(source) && !/^[+-]?0x/i.test(source);
}
