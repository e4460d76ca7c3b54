/** Defines the settings of Optuna's samplers in a sweep file. */
import type { Json } from '../../../proto/values.ts';

/** The samplers of Optuna whose options need no Python objects. */
export const OPTUNA_SAMPLERS = [
  'TPESampler',
  'CmaEsSampler',
  'GPSampler',
  'NSGAIISampler',
  'NSGAIIISampler',
  'QMCSampler',
  'BruteForceSampler',
  'RandomSampler',
] as const;

export const DEFAULT_SAMPLER = 'TPESampler';

/** Matches the name of the user's own sampler: a class in a Python module, as `module:Class`. */
export const OWN_SAMPLER = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*$/;

export interface SamplerSettings {
  /** One of OPTUNA_SAMPLERS, or `module:Class`. */
  readonly sampler: string;
  /** The arguments of the sampler's constructor, by name. */
  readonly options: Readonly<Record<string, Json>>;
  /** The Python interpreter that the sweep file names. If undefined, the interpreter of the coordinator is used. */
  readonly python: string | undefined;
}

/** Returns the sampler and its options as one line of text, such as `CmaEsSampler(popsize=8)`. */
export function samplerText({ sampler, options }: SamplerSettings): string {
  const listed = Object.entries(options).map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  return `${sampler}(${listed.join(', ')})`;
}

/**
 * Returns the setting, if any, that lets the author of the sweep file run a program or code on the coordinator's
 * machine.
 */
export function ownCodeOf({ sampler, python }: SamplerSettings): string | undefined {
  if (python !== undefined) return `optuna.python (${python})`;
  return sampler.includes(':') ? `optuna.sampler (${sampler})` : undefined;
}

/** Returns the message about a setting that the coordinator does not permit. */
export function ownCodeText(setting: string): string {
  return (
    `${setting} runs code of the file's author on the coordinator's machine, which this coordinator does not permit; ` +
    'use a sampler of Optuna without the key python, or start the coordinator with --allow-sampler-code'
  );
}
