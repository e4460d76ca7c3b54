/** Finds configs whose replicates have identical results. Such results suggest that the program ignores its seed. */
import { createHash } from 'node:crypto';
import type { MetricValues } from '../../lib/domain/metric-values.ts';
import type { CurveDigest } from './curve-digest.ts';
import { type Sweep, tracksProgram } from './model.ts';
import type { Change } from './step.ts';
import type { ConfigResults, Warning } from './sweep-observations.ts';
import { isFinal, type Trial, type TrialState } from './trial-model.ts';

/** The maximum number of configs whose ids are kept as examples. */
export const IDENTICAL_EXAMPLES = 20;

/** The part of a trial's result that is compared with the results of other replicates. */
export interface ReplicateResult {
  readonly values: MetricValues;
  /** The digest of the reports of the attempt that ended the trial (curve-digest.ts). */
  readonly curve: CurveDigest;
}

/** Adds a trial to its config, and counts it if it has not ended. `addReplicate` adds the result of an ended trial. */
export function addToConfig(sweep: Sweep, { configId, state }: Trial): void {
  if (!tracksProgram(sweep)) return;
  const { configs } = sweep.warnings;
  const config = configs.get(configId) ?? { live: 0, results: 0, digest: undefined, isIdentical: false };
  configs.set(configId, config);
  if (!isFinal(state)) config.live += 1;
}

/** Updates how many trials of a config have not ended, when a trial of the config changes its state. */
export function moveInConfig({ warnings }: Sweep, { configId, state: before }: Trial, after: TrialState): void {
  const config = warnings.configs.get(configId);
  if (config !== undefined) config.live += Number(isFinal(before)) - Number(isFinal(after));
}

/** Adds the result of a trial to the results of its config. */
export function addReplicate({ warnings }: Sweep, { configId }: Trial, result: ReplicateResult): void {
  const config = warnings.configs.get(configId);
  if (config !== undefined) addResult(config, result);
}

function addResult(config: ConfigResults, result: ReplicateResult): void {
  const digest = digestOf(result);
  config.digest = config.results === 0 || config.digest === digest ? digest : undefined;
  config.results += 1;
}

/**
 * Returns a digest of the final values and of the curve. The curve is included, because replicates with different
 * curves may have equal final values, such as an accuracy of 1. All values that are not finite count as equal, because
 * older versions of trawl stored NaN and infinity alike. Returns undefined if no value is finite.
 */
function digestOf({ values, curve }: ReplicateResult): string | undefined {
  const entries = [...values].map(([name, { value }]) => [name, value] as const);
  if (!entries.some(([, value]) => Number.isFinite(value))) return undefined;
  const text = JSON.stringify([curve.sum, entries.sort(([a], [b]) => (a < b ? -1 : 1))]);
  return createHash('sha256').update(text).digest('base64').slice(0, 22);
}

/** Updates whether a config counts as a config with identical replicates. */
export function compareReplicates({ id: sweepId, warnings }: Sweep, configId: string): Change[] {
  const config = warnings.configs.get(configId);
  if (config === undefined) return [];
  const { live, results, digest } = config;
  const isIdentical = live === 0 && results >= 2 && digest !== undefined;
  if (isIdentical === config.isIdentical) return [];
  config.isIdentical = isIdentical;
  const { identical } = warnings;
  identical.count += isIdentical ? 1 : -1;
  if (!isIdentical) identical.examples.delete(configId);
  else if (identical.examples.size < IDENTICAL_EXAMPLES) identical.examples.set(configId, results);
  return [{ kind: 'identical', sweepId, configId, replicates: isIdentical ? results : 0 }];
}

export function identicalReplicates({ warnings: { identical } }: Sweep): Omit<Warning, 'since'> | undefined {
  const { count, examples } = identical;
  if (count === 0) return undefined;
  const [example] = examples;
  const others = count - 1;
  const more = others === 0 ? '' : ` (and of ${others} other ${others === 1 ? 'config' : 'configs'})`;
  const whose =
    example === undefined
      ? `the replicates of ${count} configs`
      : `all ${example[1]} replicates of config ${example[0]}${more}`;
  return { message: `${whose} have identical results: the program probably ignores its seed`, count };
}

/**
 * Restores the results of a config that has trials in memory.
 * @param results the results of the config's trials
 * @param isIdentical whether the config counts as a config with identical replicates
 */
export function restoreConfig(
  { warnings }: Sweep,
  configId: string,
  results: readonly ReplicateResult[],
  isIdentical: boolean,
): void {
  const config = warnings.configs.get(configId);
  if (config === undefined) return;
  Object.assign(config, { results: 0, digest: undefined, isIdentical });
  for (const result of results) addResult(config, result);
}
