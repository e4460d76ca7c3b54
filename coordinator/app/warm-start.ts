/** Finds the earlier sweeps that a new sweep names, and reads the results that its search starts with. */
import { didYouMean } from '../../lib/text/did-you-mean.ts';
import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import { earlierSweepsOf, type SweepSpec } from '../grid/spec.ts';
import { activityOf, parameterKinds } from '../grid/trials.ts';
import {
  type EarlierConfig,
  spaceDifference,
  type WarmStart,
  warmStartOf,
  warmStartWarning,
} from '../search/warm-start.ts';
import type { Queries } from '../store/queries.ts';
import { earlierConfigs } from '../store/warm-starts.ts';
import { parseStoredSweep } from '../sweepfile/parse.ts';
import type { Runtime } from './runtime.ts';

/**
 * Returns the results that a search starts with. Undefined if the sweep names no earlier sweep.
 * @throws {BadInputError} if an earlier sweep does not exist, is named twice, or has a different trainer or search
 * space, or if earlier trials have ended but the search can use none of their results
 */
export async function readWarmStart(runtime: Runtime, spec: SweepSpec): Promise<WarmStart | undefined> {
  const { search } = spec;
  const selectors = earlierSweepsOf(search);
  if (search === undefined || selectors.length === 0) return undefined;
  // Without a flush, the store could lack results of the earlier sweeps.
  await runtime.flush();
  const { store, queries } = runtime;
  const ids = new Set<string>();
  for (const selector of selectors) {
    const id = await findEarlier(queries, selector);
    if (ids.has(id)) throw new BadInputError(`warm_start names sweep ${id} twice`);
    await mustMatch(queries, id, spec);
    ids.add(id);
  }
  const configs: EarlierConfig[] = [];
  for (const id of ids)
    for (const config of await earlierConfigs(store.reader, id, spec.metric.name)) configs.push(config);
  const warmStart = warmStartOf(configs, search.space, activityOf(spec));
  if (configs.length > 0 && warmStart.results.length === 0) {
    const { message } = warmStartWarning(warmStart, spec.metric.name) ?? { message: '' };
    throw new BadInputError(`warm_start has no effect: ${message}; change the space, or remove warm_start`);
  }
  return warmStart;
}

const ONE_FOLDER =
  'warm_start finds only sweeps of the same coordinator and data folder: submit this file where the earlier sweep ran, for ' +
  'example with trawl up --dir DIR';

async function findEarlier(queries: Queries, selector: string): Promise<string> {
  try {
    return await queries.selectors.findSweep(selector);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    const known = (await queries.sweeps.all()).map(({ id, name }) => (/^\d+$/.test(selector) ? id : name));
    const meant = didYouMean(selector, known.reverse());
    const problem = meant === '' ? error.message : `there is no sweep ${JSON.stringify(selector)}${meant}`;
    const remedy = meant === '' ? `. ${ONE_FOLDER}` : '';
    throw new BadInputError(`warm_start: ${problem}${remedy}`);
  }
}

async function mustMatch(queries: Queries, id: string, spec: SweepSpec): Promise<void> {
  const { text, fileName } = await queries.sweeps.file(id);
  let earlier: SweepSpec;
  try {
    earlier = parseStoredSweep(text, fileName);
  } catch (error) {
    if (!(error instanceof BadInputError)) throw error;
    throw new BadInputError(`warm_start: this version of trawl rejects the file of sweep ${id}: ${error.message}`);
  }
  if (earlier.trainer !== spec.trainer) {
    throw new BadInputError(
      `warm_start: sweep ${id} has trainer ${earlier.trainer}, but this file has trainer ${spec.trainer}`,
    );
  }
  const difference = spaceDifference(parameterKinds(spec), parameterKinds(earlier));
  if (difference !== undefined) {
    throw new BadInputError(`warm_start: sweep ${id} has a different search space: it ${difference}`);
  }
}
