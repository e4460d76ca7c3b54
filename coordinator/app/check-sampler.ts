/** Rejects a sweep whose sampler cannot run, before the sweep is stored or changed. */
import { RejectedError } from '../../proto/errors.ts';
import { parseSweep } from '../sweepfile/parse.ts';
import type { SweepControl } from '../transport/sweep-service.ts';
import type { Runtime } from './runtime.ts';
import { type CheckOptions, samplerProblem } from './sampler-problem.ts';

/** Returns a control that rejects a sweep, before it is stored or changed, if its sampler cannot run. */
export function withSamplerCheck(
  control: SweepControl,
  runtime: Pick<Runtime, 'checkSampler'>,
  options: CheckOptions,
): SweepControl {
  const check = async ({ text, fileName }: { readonly text: string; readonly fileName: string }) => {
    // Most files name no sampler, and parsing a large file takes time.
    if (!text.includes('optuna')) return;
    const spec = parseSweep(text, fileName);
    runtime.checkSampler(spec);
    const problem = await samplerProblem(spec, options);
    if (problem !== undefined) throw new RejectedError(`method optuna: ${problem}`);
  };
  return {
    ...control,
    async submit(request, by) {
      await check(request);
      return control.submit(request, by);
    },
    async apply(sweepId, request, by) {
      if (!request.dryRun) await check(request);
      return control.apply(sweepId, request, by);
    },
  };
}
