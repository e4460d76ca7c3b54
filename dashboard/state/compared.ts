/** The rows that are compared side by side. */
import { parameterText, splitParameters } from '../../lib/domain/parameters.ts';
import { shortId } from '../../lib/text/short-id.ts';
import type { MarkedRow } from './selectors.ts';

/** Returns a name for each row: its differing parameters, otherwise its id. */
export function comparedNames(all: readonly MarkedRow[]): string[] {
  const points = all.map(pointOf);
  const { varying } = splitParameters(points);
  return points.map((point, i) => {
    const differing = varying.map((name) => `${name}=${parameterText(point, name)}`).join(' ');
    return differing === '' ? shortId(all[i]?.id ?? '') : differing;
  });
}

/** Returns the parameters of a row. A config has several seeds, so its seed is omitted. */
export const pointOf = ({ trial, config }: MarkedRow) =>
  config === undefined ? trial : { parameters: trial.parameters };
