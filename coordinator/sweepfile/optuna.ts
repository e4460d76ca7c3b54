/** Validates the key `optuna`: the sampler that chooses the points of `method: optuna`. */
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { quote } from '../../lib/text/quote.ts';
import type { Json } from '../../proto/values.ts';
import { DEFAULT_SAMPLER, OPTUNA_SAMPLERS, OWN_SAMPLER, type SamplerSettings } from '../search/optuna/samplers.ts';
import type { Findings } from './problems.ts';
import type { SweepFile } from './schema.ts';

/**
 * The sampler arguments that a file cannot set, because trawl sets them. Each text is the reason in the error message.
 */
const OWN_OPTIONS: Readonly<Record<string, string>> = {
  seed: 'the key seed at the top of the file sets the seed',
};

/** Returns the settings of the sampler. Adds a finding for each problem. */
export function samplerOf({ optuna = {} }: SweepFile, findings: Findings): SamplerSettings {
  const { sampler = DEFAULT_SAMPLER, options = {}, python } = optuna;
  const isKnown = (OPTUNA_SAMPLERS as readonly string[]).includes(sampler);
  if (sampler === 'GridSampler') {
    findings.atValue(
      ['optuna', 'sampler'],
      'sampler: GridSampler is not supported; write method: grid, or sampler: BruteForceSampler',
    );
  } else if (!isKnown && !OWN_SAMPLER.test(sampler)) {
    const meant = didYouMean(sampler, OPTUNA_SAMPLERS);
    findings.atValue(
      ['optuna', 'sampler'],
      `sampler: expected ${OPTUNA_SAMPLERS.join(', ')} or module:Class, got ${quote(sampler)}${meant}`,
    );
  }
  for (const [name, reason] of Object.entries(OWN_OPTIONS)) {
    if (Object.hasOwn(options, name))
      findings.atKey(['optuna', 'options', name], `${name} is not an option: ${reason}`);
  }
  return { sampler, options: JSON.parse(JSON.stringify(options)) as Record<string, Json>, python };
}
