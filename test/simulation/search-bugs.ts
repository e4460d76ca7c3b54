/** Planted bugs of searches. */
import { Runtime, type RuntimeOptions } from '../../coordinator/app/runtime.ts';
import type { Change, Step } from '../../coordinator/core/step.ts';
import { earlierSweepsOf, type SweepSpec, usesResults } from '../../coordinator/grid/spec.ts';
import { activityOf, nextStep } from '../../coordinator/grid/trials.ts';
import type { SearchHistory } from '../../coordinator/search/searcher.ts';
import { warmStartOf } from '../../coordinator/search/warm-start.ts';
import { storedSearchHistory } from '../../coordinator/store/search-history.ts';
import { earlierConfigs } from '../../coordinator/store/warm-starts.ts';
import { parseSweep } from '../../coordinator/sweepfile/parse.ts';
import { canonicalJson } from '../../proto/values.ts';
import { databaseOf } from '../support/coordinator/database-of.ts';
import type { Bug } from './bug.ts';

/**
 * Returns a bug that changes every search except Optuna searches and populations.
 * @param changeSearch returns the settings and the history that the search uses
 */
function searchesAs(
  about: string,
  changeSearch: (runtime: Runtime, sweepId: string, spec: SweepSpec) => ChangedSearch,
  onRuntime: Pick<Bug, 'runtime'> = {},
): Bug {
  const changed = (runtime: Runtime): Runtime['openSource'] => {
    const { openSource, store } = runtime;
    const db = databaseOf(runtime);
    const isStored = db.prepare('select 1 as found from trials where sweep_id = ? and id = ?');
    return (file, parsed) => {
      const spec = parseSweep(file.text, file.fileName);
      if (spec.search === undefined || spec.search.method === 'optuna' || spec.search.method === 'pbt')
        return openSource(file, parsed);
      const { id } = file;
      const search = changeSearch(runtime, id, spec);
      const stored = storedSearchHistory(store.reader, id, spec.seeds.length);
      return {
        usesResults: usesResults(spec.search),
        async prepare() {
          await stored.refresh();
          await search.prepare?.();
        },
        next(state, isKnown) {
          const isOld = (trialId: string) => isKnown(trialId) || isStored.get(id, trialId) !== undefined;
          const step = nextStep(search.spec, state, isOld, () => search.history(stored.read()));
          if (step.kind === 'trial') stored.add(step.trial);
          return step;
        },
      };
    };
  };
  return {
    about,
    ...onRuntime,
    onLoaded(runtime) {
      const openSource = changed(runtime);
      for (const sweep of runtime.core.sweeps.values()) {
        if (sweep.search === undefined) continue;
        const row = databaseOf(runtime)
          .prepare('select text, file_name as fileName from sweeps where id = ?')
          .get(sweep.id);
        const file = { id: sweep.id, ...(row as { text: string; fileName: string }) };
        sweep.search = { ...sweep.search, source: openSource(file) };
      }
      Object.assign(runtime, { openSource });
    },
  };
}

interface ChangedSearch {
  readonly spec: SweepSpec;
  readonly history: HistoryReader;
  prepare?(): Promise<void>;
}

type HistoryReader = (stored: SearchHistory) => SearchHistory;

/** Keeps the newest loss of each trial that has reported since the start of the process. */
class NotesArrivals extends Runtime {
  readonly arrived = new Map<string, { readonly parameters: string; readonly value: number }>();

  override settle(step: Step, by?: string): Promise<void> {
    for (const change of step.changes) if (change.kind === 'report') this.#note(change);
    return super.settle(step, by);
  }

  #note({ key, metrics }: Change & { readonly kind: 'report' }): void {
    const row = databaseOf(this)
      .prepare('select parameters from trials where sweep_id = ? and id = ?')
      .get(key.sweepId, key.trialId) as { parameters: string } | undefined;
    const { test_loss: value } = metrics;
    if (row === undefined || value === undefined) return;
    this.arrived.set(`${key.sweepId}/${key.trialId}`, { parameters: row.parameters, value });
  }
}

function withArrivals(runtime: Runtime, sweepId: string, stored: SearchHistory): SearchHistory {
  const arrivals = runtime instanceof NotesArrivals ? [...runtime.arrived] : [];
  const own = arrivals.flatMap(([name, result]) => (name.startsWith(`${sweepId}/`) ? result : []));
  const parsed = own.map(({ parameters, value }) => ({ parameters: JSON.parse(parameters), value }));
  const textOf = (parameters: object) => canonicalJson(JSON.parse(JSON.stringify(parameters)));
  const known = new Set(stored.results.map(({ parameters }) => textOf(parameters)));
  const early = parsed.filter(({ parameters }) => !known.has(textOf(parameters)));
  const ended = new Set(early.map(({ parameters }) => textOf(parameters)));
  return {
    ...stored,
    results: [...stored.results, ...early],
    live: stored.live.filter((parameters) => !ended.has(textOf(parameters))),
  };
}

/** Reads the results of the earlier sweep before each suggestion. */
function withCurrentResults({ store }: Runtime, spec: SweepSpec): ChangedSearch {
  const { search } = spec;
  const [name] = earlierSweepsOf(search);
  let warm: SearchHistory['results'] = [];
  if (name === undefined || search === undefined) return { spec, history: (stored) => stored };
  return {
    spec,
    async prepare() {
      const id = await store.queries().selectors.findSweep(name);
      const configs = await earlierConfigs(store.reader, id, spec.metric.name);
      warm = warmStartOf(configs, search.space, activityOf(spec)).results;
    },
    history: (stored) => ({ ...stored, warm, results: [...warm, ...stored.results.slice(stored.warm?.length ?? 0)] }),
  };
}

class OffersBeforeCommit extends Runtime {
  readonly #sendOffer: RuntimeOptions['send'];

  constructor(options: RuntimeOptions) {
    super(options);
    this.#sendOffer = options.send;
  }

  override settle(step: Step, by?: string): Promise<void> {
    for (const output of step.outputs) if (output.kind === 'offer') this.#sendOffer(output);
    return super.settle(step, by);
  }
}

class EndsSearches extends Runtime {
  override settle(step: Step, by?: string): Promise<void> {
    const changes = step.changes.map((change) => (change.kind === 'applied' ? { ...change, done: true } : change));
    return super.settle({ ...step, changes }, by);
  }
}

export const SEARCH_BUGS: Readonly<Record<string, Bug>> = {
  'arrived-results-used': searchesAs(
    'a suggestion uses results in the order of their arrival, before the ends of their trials are durable',
    (runtime, sweepId, spec) => ({ spec, history: (stored) => withArrivals(runtime, sweepId, stored) }),
    { runtime: (options) => NotesArrivals.open(options) },
  ),
  'warm-start-read-again': searchesAs(
    'a search reads the results of the earlier sweep again, after the earlier sweep has changed',
    (runtime, _, spec) => withCurrentResults(runtime, spec),
  ),
  'warm-start-forgotten': searchesAs('a search starts without the results of the earlier sweep', (_, __, spec) => ({
    spec,
    history: (stored) => ({ ...stored, warm: [], results: stored.results.slice(stored.warm?.length ?? 0) }),
  })),
  'seed-of-the-process': searchesAs('a restart changes the seed of a search', ({ now }, _, spec) => {
    const search = spec.search && { ...spec.search, seed: spec.search.seed + (now() % 1_000) };
    return { spec: { ...spec, search }, history: (stored) => stored };
  }),
  'offered-before-commit': {
    about: 'a suggestion is offered before it is durable',
    runtime: (options) => OffersBeforeCommit.open(options),
  },
  'version-ends-search': {
    about: 'a restart ends a search whose run_cap a new version has raised',
    runtime: (options) => EndsSearches.open(options),
  },
};
