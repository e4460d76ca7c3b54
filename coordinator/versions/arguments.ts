/**
 * Compares how two versions of a sweep file pass the same point to a program. The id of a trial does not depend on the
 * notation of its numbers: 1 and 1.0 are the same point. However, a program receives `1` or `1.0`, depending on the
 * notation in the file.
 */
import { programValue, pythonLiteral } from '../../lib/text/python.ts';
import { BadInputError } from '../../proto/errors.ts';
import type { ParameterValue } from '../../proto/values.ts';
import type { Axis } from '../grid/axes.ts';
import type { SweepSpec } from '../grid/spec.ts';
import type { Distribution } from '../search/distribution.ts';

/**
 * Checks that the program receives the same arguments for each kept point as in the previous version.
 * @throws {BadInputError} if a value that both versions have is written differently, such as `1` and `1.0`, or if only
 * one version passes the seed to the program
 */
export function requireSameArguments(before: SweepSpec, after: SweepSpec): void {
  if (before.program === undefined || after.program === undefined) return;
  if (before.program.seedParameter !== after.program.seedParameter) {
    const change = after.program.seedParameter === '' ? 'removed from' : 'added to';
    throw new BadInputError(
      `parameters.seed cannot be ${change} a sweep that has results, because the program would receive ` +
        'different arguments for the points of existing trials: submit the file as a new sweep',
    );
  }
  const names = parameterNames(after);
  for (const name of parameterNames(before)) {
    if (!names.has(name)) continue;
    const change = changedNotation(name, before, after);
    if (change === undefined) continue;
    throw new BadInputError(
      `parameters.${name}: ${change}, so the program would receive a different argument for the points of ` +
        'existing trials: keep the notation, or submit the file as a new sweep',
    );
  }
}

function parameterNames({ axes, search }: SweepSpec): Set<string> {
  return new Set([...axes.map(({ name }) => name), ...(search?.space.keys() ?? [])]);
}

/** Describes a value that both versions have in different notations. Undefined if the versions have no such value. */
function changedNotation(name: string, before: SweepSpec, after: SweepSpec): string | undefined {
  const [old, edited] = [valuesOf(name, before), valuesOf(name, after)];
  if (old.listed === undefined && edited.listed === undefined) {
    // All values of a range have the same notation.
    const [was, is] = [before, after].map(({ program }) => program?.floatParameters.includes(name) ?? false);
    if (was === is) return undefined;
    return is ? 'whole numbers became floats (1 became 1.0)' : 'floats became whole numbers (1.0 became 1)';
  }
  const [listed, other] = old.listed === undefined ? [edited.listed ?? [], old] : [old.listed, edited];
  for (const value of listed) {
    if (!other.has(value)) continue;
    const [was, is] = [before, after].map(({ program }) => pythonLiteral(programValue(name, value, program)));
    if (was !== is) return `${was} became ${is}`;
  }
  return undefined;
}

interface Values {
  /** The values that the file lists. Undefined for a range. */
  readonly listed: readonly ParameterValue[] | undefined;
  has(value: ParameterValue): boolean;
}

/** Returns the values of a parameter, including the values that `when` sets. */
function valuesOf(name: string, { axes, search, when }: SweepSpec): Values {
  const set = when.flatMap((rule) => rule.set[name] ?? []);
  const axis = axes.find((one) => one.name === name);
  const listed = axis === undefined ? drawnValues(search?.space.get(name)) : listedValues(axis);
  if (listed === undefined) {
    return { listed, has: (value) => set.includes(value) || (axis !== undefined && axis.indexOf(value) >= 0) };
  }
  const all = new Set([...listed, ...set]);
  return { listed: [...all], has: (value) => all.has(value) };
}

function listedValues(axis: Axis): readonly ParameterValue[] | undefined {
  if (!Array.isArray(axis.definition)) return undefined;
  return Array.from({ length: axis.size }, (_, index) => axis.at(index));
}

function drawnValues(distribution: Distribution | undefined): readonly ParameterValue[] | undefined {
  if (distribution?.kind === 'constant') return [distribution.value];
  return distribution?.kind === 'categorical' ? distribution.values : undefined;
}
