/** Applies the rules of a sweep to the points of its grid or search, and yields the sweep's trials. */
import { BadInputError } from '../../proto/errors.ts';
import { type Parameters, TRAINERS, type TrainerSpec, withDefaults } from '../../proto/trainers.ts';
import { nextDrawnPoint } from '../search/drawn.ts';
import { equalPoints, nextGridPoint } from '../search/grid.ts';
import { OptunaDimensions } from '../search/optuna/dimensions.ts';
import type { StudySettings } from '../search/optuna/messages.ts';
import { INITIAL_OPTUNA_STATE, nextOptunaPoint } from '../search/optuna/searcher.ts';
import type { SearchHistory, SearchState, Suggestion, SuggestionRecord } from '../search/searcher.ts';
import { INITIAL_TPE_STATE, nextTpePoint } from '../search/tpe/searcher.ts';
import { STARTUP_TRIALS } from '../search/tpe/tpe.ts';
import {
  createdConfigs,
  type PlannedTrial,
  type SourceState,
  type SourceStep,
  type StoredSuggestion,
} from '../search/trial-source.ts';
import { kindOfValues, kindsOfSpace, type ParameterKinds } from '../search/warm-start.ts';
import { MAX_LISTED_VALUES } from './axes.ts';
import { effectOf, isSet } from './points.ts';
import {
  earlierSweepsOf,
  isDrawn,
  type OptunaSettings,
  type Search,
  type SweepSpec,
  trialLimit,
  usesResults,
} from './spec.ts';
import { idsOf } from './trial-id.ts';

/**
 * A search ends after this many consecutive points without a new config, because the space probably has no further
 * configs.
 */
export const MAX_REPEATED_POINTS = 10_000;

const NO_HISTORY: SearchHistory = { goal: 'minimize', results: [], live: [] };

/**
 * Returns a function that decides whether the value that the search chose for a parameter matters at a point. The value
 * does not matter if a `when` rule replaces it at the point.
 */
export function activityOf(spec: SweepSpec): (point: Parameters, name: string) => boolean {
  return (point, name) => !isSet(spec, point, name);
}

/** Returns the study settings of an Optuna search. */
export function studyOf(
  { objectives, metric, when }: Pick<SweepSpec, 'objectives' | 'metric' | 'when'>,
  search: OptunaSettings,
): StudySettings {
  const { sampler, options, python, seed, space } = search;
  const goals = objectives.length > 0 ? objectives.map(({ goal }) => goal) : [metric.goal];
  return { sampler, options, python, seed, space: new OptunaDimensions(space, when).space, goals };
}

/** Returns the kind of each parameter of a sweep, by name. */
export function parameterKinds({ axes, search }: SweepSpec): ParameterKinds {
  if (search !== undefined) return kindsOfSpace(search.space);
  // A stepped axis has only numbers, so its first values give its kind.
  const valuesOf = ({ size, at }: SweepSpec['axes'][number]) =>
    Array.from({ length: Math.min(size, MAX_LISTED_VALUES) }, (_, i) => at(i));
  return new Map(axes.map((axis) => [axis.name, kindOfValues(valuesOf(axis))]));
}

/** Returns the state before the first trial. */
export function initialState(spec: SweepSpec): SourceState {
  return {
    search: initialSearchState(spec.search),
    created: 0,
    points: 0,
    excluded: spec.exclude.map(() => 0),
    duplicates: 0,
    repeated: 0,
  };
}

function initialSearchState(search: Search | undefined): SearchState {
  switch (search?.method) {
    case 'tpe':
      return INITIAL_TPE_STATE;
    case 'optuna':
      return INITIAL_OPTUNA_STATE;
    default:
      return 0;
  }
}

function suggestionOf(spec: SweepSpec, state: SearchState, history: () => SearchHistory): Suggestion {
  const { search } = spec;
  if (search === undefined) return nextGridPoint(spec, state);
  if (isDrawn(search)) return nextDrawnPoint(search, state);
  if (search.method === 'optuna') {
    const { seed, space } = search;
    return nextOptunaPoint({ seed, space, dimensions: new OptunaDimensions(space, spec.when) }, state, history());
  }
  return nextTpePoint({ ...search, isActive: activityOf(spec) }, spec.seeds.length, state, history());
}

/**
 * Returns the next step of a sweep's source after the given state.
 * @param isKnown returns whether the sweep already has a trial with the given id
 * @param history returns the trials so far, for searches that use results; by default, there are none
 */
export function nextStep(
  spec: SweepSpec,
  state: SourceState,
  isKnown: (trialId: string) => boolean,
  history: () => SearchHistory = () => NO_HISTORY,
): SourceStep {
  const trainer: TrainerSpec = TRAINERS[spec.trainer];
  const mayRepeat = spec.search !== undefined;
  const isPopulation = spec.earlyTerminate?.type === 'pbt';
  if (state.created - (state.outside ?? 0) >= trialLimit(spec)) return { kind: 'done' };
  let { config } = state;
  let after = state;
  let record: SuggestionRecord | undefined;
  const stored = (configId: string | undefined): StoredSuggestion | undefined =>
    record && { number: state.points, configId, record };
  if (config === undefined) {
    if (mayRepeat && state.repeated >= MAX_REPEATED_POINTS) return { kind: 'done' };
    const suggestion = suggestionOf(spec, state.search, history);
    if (suggestion.kind !== 'point') return suggestion;
    const { point, state: search } = suggestion;
    record = suggestion.record;
    after = { ...state, search, points: state.points + 1, repeated: state.repeated + 1 };
    const effect = effectOf(spec, point);
    if ('excludedBy' in effect) return dropExcluded(spec, after, effect.excludedBy, stored(undefined));
    config = { parameters: withDefaults(trainer, { ...point, ...effect.overrides }), replicates: 0 };
  }
  const { parameters, replicates } = config;
  // Each member of a population has its own seed, so that the members start from different random states.
  const seed = isPopulation ? state.created : (spec.seeds[replicates] ?? 0);
  const { configId, trialId } = idsOf(spec.trainer, parameters);
  const suggestion = stored(configId);
  const trial: PlannedTrial = { index: state.created, parameters, seed, trialId: trialId(seed), configId };
  // The replicates of a config are created in order. If the first one exists, the config therefore exists, and the
  // point is dropped. With `merges`, each replicate is checked, because a new version may have more replicates of a
  // config than the earlier version.
  if (replicates === 0 && !state.merges && isKnown(trial.trialId))
    return { kind: 'dropped', state: { ...after, duplicates: state.duplicates + 1 }, suggestion };
  const isLast = replicates + 1 >= (spec.adaptiveReplicates?.min ?? spec.seeds.length);
  const rest = isLast ? undefined : { parameters, replicates: replicates + 1 };
  const next = { ...after, repeated: 0, config: rest };
  if (state.merges && isKnown(trial.trialId)) return { kind: 'dropped', state: next };
  return { kind: 'trial', trial, state: { ...next, created: state.created + 1 }, suggestion };
}

/**
 * Drops a point that a rule excludes. A rule can exclude billions of consecutive points of a grid. The points that
 * follow are therefore dropped in the same step, up to the first point that differs in a parameter of this rule or of
 * an earlier rule.
 * @param after the state of the source after this point; `points` already includes the point
 */
function dropExcluded(
  spec: SweepSpec,
  after: SourceState,
  excludedBy: number,
  suggestion: StoredSuggestion | undefined,
): SourceStep {
  let further = 0;
  let { search } = after;
  if (spec.search === undefined) {
    const rules = spec.exclude.slice(0, excludedBy + 1);
    const names = new Set(rules.flatMap(({ conditions }) => conditions.map(({ name }) => name)));
    const position = Number(search);
    further = equalPoints(spec, position - 1, names) - 1;
    search = position + further;
  }
  const excluded = after.excluded.map((count, rule) => (rule === excludedBy ? count + 1 + further : count));
  return { kind: 'dropped', state: { ...after, search, points: after.points + further, excluded }, suggestion };
}

/**
 * Yields all steps of a sweep's source, from the start. Memory grows with the number of trials.
 * @throws {BadInputError} as soon as the next point would depend on results (TPE: after its initial random configs;
 * Optuna and warm_start: at once)
 */
export function* allSteps(spec: SweepSpec): Generator<Extract<SourceStep, { state: SourceState }>, void, undefined> {
  const known = new Set<string>();
  let state = initialState(spec);
  const startsWarm = earlierSweepsOf(spec.search).length > 0;
  for (;;) {
    if (spec.search?.method === 'optuna') {
      throw new BadInputError(
        'method optuna chooses its points in a Python process of the coordinator; no config can be listed before the sweep runs',
      );
    }
    // Without warm_start, the first STARTUP_TRIALS configs are random points. Later points can depend on results.
    if (
      usesResults(spec.search) &&
      state.config === undefined &&
      createdConfigs(state) >= (startsWarm ? 0 : STARTUP_TRIALS)
    ) {
      const listed = startsWarm
        ? 'with warm_start, no config can be listed before the sweep runs'
        : `only the first ${STARTUP_TRIALS} configs can be listed before the sweep runs`;
      throw new BadInputError(
        `method ${spec.search?.method ?? 'grid'} chooses its points from the results of earlier trials; ${listed}`,
      );
    }
    const step = nextStep(spec, state, (id) => known.has(id));
    if (step.kind === 'done' || step.kind === 'wait') return;
    state = step.state;
    if (step.kind === 'trial') known.add(step.trial.trialId);
    yield step;
  }
}
