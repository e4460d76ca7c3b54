/**
 * Finds the numbers that a sweep file writes as floats (`1.0`, `.inf`). Programs receive such numbers as floats too
 * (`1.0`, not `1`), just as they do from the agent of W&B.
 */
import { parameterName } from '../../lib/domain/parameters.ts';
import { pointerTo } from '../../lib/text/python.ts';
import type { ProgramSpec } from '../../proto/gen/trawl/v1/attempt_service.ts';
import { canonicalJson } from '../../proto/values.ts';
import type { Declaration } from './parameters.ts';
import type { Located } from './problems.ts';
import { isFloat, parameterOf } from './values.ts';

/**
 * Returns, as `floatParameters`, the parameters whose numbers are all floats, and the ranges with a float limit or
 * step. For other parameters, returns the values that contain floats, as `floatValues`.
 */
export function floatsOf(
  declarations: readonly Declaration[],
  root: Located,
): Pick<ProgramSpec, 'floatParameters' | 'floatValues'> {
  const floatParameters: string[] = [];
  const floatValues: ProgramSpec['floatValues'] = [];
  for (const [name, { written, isRange, hasSteps }] of writtenValues(declarations, root)) {
    const numbers = written.flatMap((value) => numbersIn(value));
    const floats = numbers.filter(({ located }) => isFloat(located));
    // A fractional bound or step makes all values floats, as in numpy.arange.
    const isFractional = hasSteps && numbers.some(({ located }) => !Number.isInteger(located.data));
    if (floats.length === 0 && !isFractional) continue;
    if (isRange || numbers.every(({ located }) => isFloat(located) || !Number.isInteger(located.data))) {
      floatParameters.push(name);
      continue;
    }
    const known = new Set<string>();
    for (const located of written) {
      const value = canonicalJson(parameterOf(located.data));
      // Equal values become one trial, which has the notation of the first value.
      if (known.has(value)) continue;
      known.add(value);
      const pointers = numbersIn(located).flatMap((one) => (isFloat(one.located) ? [one.pointer] : []));
      if (pointers.length > 0) floatValues.push({ parameter: name, value, floats: pointers });
    }
  }
  return { floatParameters: floatParameters.sort(), floatValues };
}

interface Written {
  readonly written: Located[];
  /** Whether the parameter is a range. If so, `written` contains the bounds and the step. */
  readonly isRange: boolean;
  /** Whether the distribution is q_uniform, which has equal steps in a grid. */
  readonly hasSteps: boolean;
}

/**
 * Returns the values that the file has for each parameter, including the values that `when` sets. For a range, returns
 * its limits and its step.
 */
function writtenValues(declarations: readonly Declaration[], root: Located): Map<string, Written> {
  const all = new Map<string, Written>();
  for (const { name, located } of declarations) {
    const { entries } = located;
    const values = [...(entries.get('values')?.entries.values() ?? [])];
    const value = entries.get('value');
    const bounds = ['min', 'max', 'step', 'q'].flatMap((key) => entries.get(key) ?? []);
    all.set(name, {
      written: [...values, ...(value === undefined ? [] : [value]), ...bounds],
      isRange: bounds.length > 0,
      hasSteps: entries.get('distribution')?.data === 'q_uniform',
    });
  }
  for (const rule of root.entries.get('when')?.entries.values() ?? []) {
    for (const [key, value] of rule.entries.get('set')?.entries ?? []) {
      all.get(parameterName(String(key)))?.written.push(value);
    }
  }
  return all;
}

/**
 * Returns the numbers in a value, each with its JSON Pointer. Numbers that are not finite are included, although their
 * data are text.
 */
function numbersIn(located: Located, pointer = ''): { readonly located: Located; readonly pointer: string }[] {
  if (located.entries.size > 0) {
    return [...located.entries].flatMap(([key, item]) =>
      numbersIn(item, pointerTo(pointer, typeof key === 'string' ? parameterName(key) : key)),
    );
  }
  return typeof located.data === 'number' || isFloat(located) ? [{ located, pointer }] : [];
}
