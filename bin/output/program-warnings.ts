/** Prints the warnings about a sweep file. */
import { samplerProblem } from '../../coordinator/app/sampler-problem.ts';
import { planWithoutDrawing } from '../../coordinator/grid/plan.ts';
import type { SweepSpec } from '../../coordinator/grid/spec.ts';
import { DEFAULT_PYTHON, startSampler } from '../../coordinator/search/optuna/process.ts';
import { ownCodeOf } from '../../coordinator/search/optuna/samplers.ts';
import { effectWarnings } from '../../coordinator/sweepfile/effect-warnings.ts';
import { programWarnings } from '../client/program-warnings.ts';
import { note } from './print.ts';

/**
 * Returns a warning if the sampler of a sweep cannot run on this machine. Does not run code that the file names, because
 * a plan should run no unknown code.
 */
export async function samplerWarnings(spec: SweepSpec): Promise<string[]> {
  if (spec.search?.method !== 'optuna' || ownCodeOf(spec.search) !== undefined) return [];
  const problem = await samplerProblem(spec, { python: DEFAULT_PYTHON, start: startSampler });
  return problem === undefined ? [] : [`method optuna cannot run on this machine: ${problem}`];
}

/** Prints to stderr each warning about the program. */
export async function noteProgramWarnings(...file: Parameters<typeof programWarnings>): Promise<void> {
  for (const warning of await programWarnings(...file)) note(`warning: ${warning}`);
}

/**
 * Prints to stderr each warning about a setting that has no effect.
 * @throws {BadInputError} if the sweep is too large for a plan
 */
export function noteEffectWarnings(spec: SweepSpec): void {
  for (const warning of effectWarnings(spec, planWithoutDrawing(spec))) note(`warning: ${warning}`);
}
