import { type Command, InvalidArgumentError } from 'commander';
import { DEFAULT_DIR } from '../../coordinator/app/defaults.ts';
import { shownRungs } from '../../coordinator/early-stop/effect.ts';
import { populationSize } from '../../coordinator/early-stop/population.ts';
import { earlyTerminateJson } from '../../coordinator/early-stop/settings-text.ts';
import { enumerateTrials } from '../../coordinator/grid/enumerate.ts';
import { longestTraining } from '../../coordinator/grid/longest-training.ts';
import { type Plan, plan as planOf } from '../../coordinator/grid/plan.ts';
import { earlierSweepsOf, type SweepSpec, trialLimit } from '../../coordinator/grid/spec.ts';
import type { PlannedTrial } from '../../coordinator/search/trial-source.ts';
import { effectWarnings } from '../../coordinator/sweepfile/effect-warnings.ts';
import type { Column } from '../../lib/text/table.ts';
import { codeFolderOf, withPackedCode } from '../client/code.ts';
import { programWarnings } from '../client/program-warnings.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { loadSweepFile } from '../options/sweep-file.ts';
import { pathOption } from '../options/values.ts';
import { codeJson } from '../output/code.ts';
import { commandLineOf } from '../output/command-line.ts';
import { type EstimateOptions, estimateIfPossible, estimateJson } from '../output/plan-estimate.ts';
import { type PlanFacts, planText } from '../output/plan-text.ts';
import { print, printJson } from '../output/print.ts';
import { noteProgramWarnings, samplerWarnings } from '../output/program-warnings.ts';
import { renderTable } from '../output/table.ts';
import { resultTerminal } from '../output/terminal.ts';

interface Options extends GlobalOptions, OutputOptions, EstimateOptions {
  readonly points?: number;
  readonly commands?: number;
}

function planJson(
  { points: _, isBound, ...counts }: Plan,
  spec: SweepSpec,
  { code, warnings, estimate }: PlanFacts,
): Record<string, unknown> {
  const { search, runCap, earlyTerminate, metric, objectives, order } = spec;
  const warmStart = earlierSweepsOf(search);
  const last = longestTraining(spec, search?.space ?? new Map());
  const isPopulation = earlyTerminate?.type === 'pbt';
  const rungs = earlyTerminate === undefined ? [] : shownRungs(earlyTerminate, last);
  const size = isPopulation ? populationSize(earlyTerminate, last) : undefined;
  return {
    ...counts,
    // `trials` is null if the number of trials has no upper bound. It then depends on how many epochs the program runs.
    ...(size === undefined ? {} : { trials: size.maxTrials ?? null, members: size.members }),
    at_most: isBound || isPopulation || undefined,
    min_replicates: spec.adaptiveReplicates?.min,
    method: search?.method ?? 'grid',
    seed: search === undefined ? (order.kind === 'shuffled' ? order.seed : undefined) : search.seed,
    order: search === undefined ? order.kind : undefined,
    metric: objectives.length > 0 ? undefined : { name: metric.name || null, goal: metric.goal, at: metric.at },
    metrics: objectives.length > 0 ? objectives : undefined,
    distributions: search === undefined ? undefined : Object.fromEntries(search.space),
    sampler: search?.method === 'optuna' ? search.sampler : undefined,
    warm_start: warmStart.length > 0 ? warmStart : undefined,
    run_cap: isPopulation
      ? earlyTerminate.maxTrials
      : (runCap ?? (search === undefined ? undefined : trialLimit(spec))),
    target: metric.target,
    speculate: spec.speculate,
    early_terminate: earlyTerminate && earlyTerminateJson(earlyTerminate),
    rungs: rungs.length > 0 ? rungs : undefined,
    ignored: spec.ignored,
    notes: spec.notes,
    warnings,
    code: code && codeJson(code),
    estimate: estimate === undefined || 'reason' in estimate ? undefined : estimateJson(estimate),
  };
}

function* firstTrials(spec: SweepSpec, limit: number, perConfig: boolean): Generator<PlannedTrial, void, undefined> {
  const seen = new Set<string>();
  let count = 0;
  for (const trial of enumerateTrials(spec)) {
    if (count === limit) return;
    if (perConfig && seen.has(trial.configId)) continue;
    seen.add(trial.configId);
    count++;
    yield trial;
  }
}

async function printPoints(spec: SweepSpec, limit: number, options: Options): Promise<void> {
  const points = [...firstTrials(spec, limit, true)].map(({ parameters }) => Object.entries(parameters));
  if (options.output === 'json') return printJson(points.map((point) => Object.fromEntries(point)));
  const names = [...new Set(points.flatMap((point) => point.map(([name]) => name)))];
  const columns: Column<Map<string, unknown>>[] = names.map((name) => ({
    header: name,
    elide: 'start',
    cell: (point) => `${point.get(name) ?? ''}`,
  }));
  const rows = points.map((point) => new Map<string, unknown>(point));
  return print(renderTable(columns, rows, resultTerminal(options)));
}

async function printCommands(spec: SweepSpec, limit: number, options: Options): Promise<void> {
  const lines = [...firstTrials(spec, limit, false)].map((trial) => commandLineOf(spec, trial));
  if (options.output === 'json') return printJson(lines);
  return print(lines.map((line) => `${line}\n`).join(''));
}

async function plan(fileName: string, options: Options): Promise<void> {
  const file = await loadSweepFile(fileName);
  const { spec } = file;
  if (options.points !== undefined) return printPoints(spec, options.points, options);
  if (options.commands !== undefined) {
    await noteProgramWarnings(file, undefined, await codeFolderOf(file));
    return printCommands(spec, options.commands, options);
  }
  const planned = planOf(spec);
  return withPackedCode(file, async (code) => {
    const facts = {
      code,
      warnings: [
        ...effectWarnings(spec, planned),
        ...(await programWarnings(file, undefined, code?.folder)),
        ...(await samplerWarnings(spec)),
      ],
      estimate: await estimateIfPossible(planned, spec, options),
    };
    if (options.output === 'json') return printJson(planJson(planned, spec, facts));
    return print(planText(planned, spec, facts, resultTerminal(options)));
  });
}

function countOption(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError('expected a whole number from 1.');
  }
  return count;
}

export function registerPlan(program: Command): void {
  const command = program
    .command('plan')
    .description('validate a sweep file and count its trials, without a server')
    .argument('<file>', 'sweep file, YAML or JSON')
    .option('--points <n>', 'print the parameters of the first n points instead', countOption)
    .option('--commands <n>', 'print the command lines of the first n trials instead', countOption)
    .option(
      '--dir <dir>',
      `data folder with earlier trials, from which the duration is estimated (default: ${DEFAULT_DIR}, if it exists)`,
      pathOption,
    )
    .option(
      '--slots <n>',
      'slots for the estimate (default: those of the connected agents, or else as many as earlier trials used)',
      countOption,
    );
  withHelp(withOutput(command), {
    remote: false,
    exits: [
      [3, 'with --dir: the coordinator of the folder does not answer'],
      [4, 'with --dir: the store cannot be opened, or access is rejected'],
    ],
    examples: [
      ['trawl plan sweep.yaml', 'count axes, trials and excluded points'],
      ['trawl plan sweep.yaml --commands 3', 'print the first three command lines as they will run'],
      ['trawl plan sweep.yaml --dir runs/ae --slots 8', 'estimate the duration on eight slots from earlier trials'],
      ['trawl plan sweep.yaml -o json', 'print the counts as JSON'],
    ],
  }).action((file: string, _options: Options, self: Command) => plan(file, self.optsWithGlobals<Options>()));
}
