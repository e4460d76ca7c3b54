/** The `zip` of a file -> groups of axes of one size. */

import { show } from '../../lib/text/quote.ts';
import type { Axis } from '../grid/axes.ts';
import { type RuleContext, undeclared } from './rules-of.ts';
import type { SweepFile } from './schema.ts';

/**
 * A parameter with a single `value` may stand in a group: it goes with every row, which is what it does outside of the
 * group too, so it is left out of it.
 */
export function zipOf(file: SweepFile, context: RuleContext): string[][] {
  const taken = new Map<string, number>();
  return (file.zip ?? []).flatMap((names, group) => {
    const advancing: string[] = [];
    for (const [position, name] of names.entries()) {
      const before = taken.get(name);
      const problem =
        undeclared(name, context) ??
        (before === undefined
          ? undefined
          : `${show(name)} is zipped twice${before === group ? '' : ', in two groups'}`);
      if (problem !== undefined) context.findings.atValue(['zip', group, position], problem);
      taken.set(name, group);
      if (problem === undefined && file.parameters[name]?.value === undefined) advancing.push(name);
    }
    if (names.length < 2) context.findings.atValue(['zip', group], 'zip: expected at least two names in a group');
    checkRows(advancing, group, context);
    return advancing.length > 1 ? [advancing] : [];
  });
}

function checkRows(names: readonly string[], group: number, { axes, findings }: RuleContext): void {
  const members = names.flatMap((name) => axes.get(name) ?? []);
  if (members.length < names.length) return;
  if (new Set(members.map(({ size }) => size)).size > 1) {
    const sizes = members.map(({ name, size }) => `${name} has ${size}`).join(', ');
    findings.atValue(['zip', group], `zip: parameters that advance together need equally many values; ${sizes}`);
    return;
  }
  const twice = repeatedRow(members);
  const [first] = members;
  if (twice === undefined || first === undefined) return;
  const row = members.map((axis) => `${axis.name}=${show(axis.at(twice.row))}`).join(', ');
  const before = findings.where(['parameters', first.name, 'values', twice.before]);
  findings.atValue(['parameters', first.name, 'values', twice.row], `${row} is listed twice, first at ${before}`);
}

/** The first row that is equal to one before it. One axis without repeats makes all rows differ. */
function repeatedRow(members: readonly Axis[]): { row: number; before: number } | undefined {
  const [first] = members;
  if (first === undefined || members.some(({ repeats }) => !repeats)) return undefined;
  const seen = new Map<string, number>();
  for (let row = 0; row < first.size; row++) {
    const key = JSON.stringify(members.map((axis) => axis.at(row)));
    const before = seen.get(key);
    if (before !== undefined) return { row, before };
    seen.set(key, row);
  }
  return undefined;
}
