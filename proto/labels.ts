/** Labels: what operators call their machines by, so that sweeps can ask for some of them. */

/** The most labels of an agent, or of a sweep. */
export const MAX_LABELS = 32;
/** A letter or digit first; `topology.kubernetes.io/zone` is one. */
export const LABEL_NAME = /^[A-Za-z0-9][A-Za-z0-9_./-]{0,99}$/;
/** On one line, and no control characters. */
export const LABEL_VALUE = /^\P{Cc}{1,100}$/u;

export const LABEL_NAME_RULE = 'a letter or digit, then letters, digits, "_", ".", "/" or "-", up to 100 in all';
export const LABEL_VALUE_RULE = '1 to 100 characters on one line';

export type Labels = Readonly<Record<string, string>>;

/** @returns what is wrong with the labels; undefined: nothing */
export function labelProblem(labels: Labels): string | undefined {
  const entries = Object.entries(labels);
  if (entries.length > MAX_LABELS) return `${entries.length} labels: expected at most ${MAX_LABELS}`;
  for (const [name, value] of entries) {
    if (!LABEL_NAME.test(name)) return `${JSON.stringify(name)} cannot name a label: expected ${LABEL_NAME_RULE}`;
    if (!LABEL_VALUE.test(value)) {
      return `label ${name} cannot be ${JSON.stringify(value)}: expected ${LABEL_VALUE_RULE}`;
    }
  }
  return undefined;
}
