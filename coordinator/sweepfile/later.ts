/** What a sweep file may hold one day, or holds elsewhere, and trawl does not do yet: refused by name, never ignored. */

const LATER_KEYS = [
  ...['early_stop'],
  // Weights & Biases
  ...['early_terminate', 'run_cap', 'project', 'entity', 'job', 'image_uri', 'parent'],
];

const LATER_PARAMETER_KEYS = ['distribution', 'mu', 'sigma', 'q', 'probabilities', 'parameters'];

export const LATER_METHODS: readonly string[] = ['random', 'sobol', 'tpe', 'bayes'];

export function isLater(key: string, inParameter: boolean): boolean {
  return (inParameter ? LATER_PARAMETER_KEYS : LATER_KEYS).includes(key);
}
