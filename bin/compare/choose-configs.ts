/** Which configs a person means: by a prefix of a config's id, or of one of its trials'. */
import { AmbiguousError, BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { Config } from '../../proto/gen/trawl/v1/types.ts';

/** Without selectors, so many of the best. */
export const DEFAULT_COMPARED = 3;

/**
 * @param configs in order of rank
 * @returns two configs or more, in the order of the selectors
 * @throws {NotFoundError | AmbiguousError | BadInputError}
 */
export function chooseConfigs(configs: readonly Config[], selectors: readonly string[]): Config[] {
  const chosen =
    selectors.length === 0
      ? configs.filter(({ rank }) => rank > 0).slice(0, DEFAULT_COMPARED)
      : [...new Set(selectors.map((selector) => chosenBy(selector, configs)))];
  if (chosen.length >= 2) return chosen;
  if (selectors.length > 0) throw new BadInputError('two different configs are needed to compare');
  throw new BadInputError('fewer than two configs have a value of the metric yet: name those to compare');
}

function chosenBy(selector: string, configs: readonly Config[]): Config {
  const fits = configs.filter(({ id, trialIds }) => [id, ...trialIds].some((known) => known.startsWith(selector)));
  const [one, ...others] = fits;
  if (one === undefined || selector === '') {
    throw new NotFoundError(
      `there is no config and no trial ${JSON.stringify(selector)} in the sweep: "trawl trials --configs" lists them`,
    );
  }
  if (others.length === 0) return one;
  throw new AmbiguousError(
    `${JSON.stringify(selector)} fits ${fits.length} configs: ${fits.map(({ id }) => id).join(', ')}`,
  );
}
