import type { Command } from 'commander';
import type { AdaptiveReplicates } from '../../coordinator/grid/spec.ts';
import { attemptStartMs, attemptState } from '../../lib/domain/attempt-state.ts';
import { timeLeftText } from '../../lib/domain/eta.ts';
import { ownValue } from '../../lib/domain/own-value.ts';
import { fromWire } from '../../lib/domain/parameters.ts';
import { objectiveText } from '../../lib/domain/ranking.ts';
import { leasedMs, NO_SLOT_TIME, slotTimeText } from '../../lib/domain/slot-time.ts';
import { shownState, trialsToCome } from '../../lib/domain/trial-state.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import { formatCount, formatMetric, formatStep } from '../../lib/text/numbers.ts';
import { shellLine } from '../../lib/text/shell.ts';
import { sweepStateText } from '../../lib/text/sweep-state.ts';
import type { Column } from '../../lib/text/table.ts';
import { progressText, toComeText, totalText } from '../../lib/text/trials-to-come.ts';
import { firstLine, visibleLines } from '../../lib/text/visible-text.ts';
import { BadInputError, NotFoundError } from '../../proto/errors.ts';
import type { GetSourceResponse, GetTrialResponse } from '../../proto/gen/trawl/v1/sweep_service.ts';
import {
  type Artifact,
  type Attempt,
  MetricAt,
  type ProgramStart,
  type Report,
  type Rung,
  type Sweep,
  type Trial,
} from '../../proto/gen/trawl/v1/types.ts';
import { artifactKind, failureClass, trialState } from '../../proto/names.ts';
import { type Connection, withConnection } from '../client/connect.ts';
import { unary } from '../client/rpc.ts';
import { getSource, getSweep, streamReports } from '../client/sweeps.ts';
import {
  type GlobalOptions,
  type OutputOptions,
  type ServerOptions,
  withHelp,
  withOutput,
  withServer,
} from '../options/common.ts';
import { parseCount } from '../options/values.ts';
import { environmentJson, gitText, pythonVersionText, reproductionFields, sourceJson } from '../output/code.ts';
import { countsText, isoTime } from '../output/format.ts';
import { artifactJson, attemptJson, programJson, reportJson, sweepJson, trialJson } from '../output/json.ts';
import { print, printJson, printJsonWithList } from '../output/print.ts';
import { suggested } from '../output/suggested.ts';
import { runningEstimate, runningEstimateText } from '../output/sweep-estimate.ts';
import { renderFields, renderTable } from '../output/table.ts';
import { resultTerminal, type Terminal } from '../output/terminal.ts';
import { warningFields, warningJson } from '../output/warnings.ts';

type Options = GlobalOptions &
  ServerOptions &
  OutputOptions & { readonly diff?: true; readonly packages?: true; readonly file?: true; readonly version?: number };

function spanText(fromMs: number, toMs: number): string {
  return fromMs === 0 || toMs === 0 ? '-' : formatSpan(toMs - fromMs);
}

function trialsText(sweep: Sweep, adaptive: AdaptiveReplicates | undefined): string {
  if (!Number.isFinite(trialsToCome(sweep))) return 'no limit';
  const total = totalText(sweep).replace(/ trials?$/, '');
  const replicates = adaptive === undefined ? sweep.replicates : `${adaptive.min} to ${adaptive.max}`;
  return `${total} (${formatCount(sweep.configs)} configs x ${replicates} replicates)`;
}

/** Whether the sweep may end with fewer trials than planned, because results determine its number of replicates. */
function canEndEarly(sweep: Sweep, adaptive: AdaptiveReplicates | undefined): boolean {
  return adaptive !== undefined && sweep.searching;
}

function sweepText(
  sweep: Sweep,
  adaptive: AdaptiveReplicates | undefined,
  facts: GetSourceResponse,
  terminal: Terminal,
): string {
  const best = sweep.metric?.at === MetricAt.BEST ? ', best over the steps' : '';
  const metric = sweep.metric && `${objectiveText(sweep)}${best}`;
  const estimate = runningEstimate(sweep, Date.now());
  const atMost = canEndEarly(sweep, adaptive) ? 'at most ' : '';
  return renderFields(
    [
      ['sweep', sweep.id],
      ['name', sweep.name],
      ['state', sweepStateText(sweep, Date.now()) + (sweep.reason === '' ? '' : `: ${sweep.reason}`)],
      ['since', isoTime(sweep.stateSinceMs) ?? '-'],
      ...warningFields(sweep),
      ['trainer', sweep.trainer],
      ['priority', `${sweep.priority}, weight ${sweep.weight}`],
      ['metric', metric ?? '-'],
      ['trials', trialsText(sweep, adaptive)],
      ['finished', progressText(sweep)],
      ['counts', [countsText(sweep.counts), toComeText(sweep)].filter(Boolean).join(', ')],
      ['axes', sweep.axes.join(', ') || '-'],
      ['created', `${isoTime(sweep.createdAtMs) ?? '-'}${sweep.submittedBy === '' ? '' : ` by ${sweep.submittedBy}`}`],
      ['duration', spanText(sweep.createdAtMs, sweep.endedAtMs)],
      ['slot time', slotTimeText(sweep.slotTime ?? NO_SLOT_TIME)],
      ...(sweep.timeLeft === undefined ? [] : [['time left', `${atMost}${timeLeftText(sweep.timeLeft)}`] as const]),
      ...(estimate === undefined ? [] : [['estimate', `${atMost}${runningEstimateText(sweep, estimate)}`] as const]),
      ['version', `${sweep.version ?? 1}`],
      ['fingerprint', sweep.fingerprint],
      ...reproductionFields(facts),
    ],
    terminal,
  );
}

function resultFields({ metrics, metricSteps }: Trial, { metric }: Sweep): [string, string][] {
  if (metric === undefined || !Object.hasOwn(metrics, metric.name)) return [];
  const step = ownValue(metricSteps, metric.name);
  const from = step === undefined ? '' : ` (${metric.at === MetricAt.BEST ? 'best, ' : ''}step ${formatStep(step)})`;
  return [['result', `${metric.name} ${formatMetric(ownValue(metrics, metric.name))}${from}`]];
}

function failureFields({ failure }: Trial): [string, string][] {
  if (failure === undefined) return [];
  const [error, ...output] = `${failureClass.of(failure.class)}: ${failure.message}`.trimEnd().split('\n');
  return [['failure', error ?? ''], ...output.map((line): [string, string] => ['', line])];
}

function originFields({ origin }: Trial): [string, string][] {
  return origin === undefined
    ? []
    : [
        ['parent', `${origin.parent}, after epoch ${formatStep(origin.epoch)}`],
        ['replaces', origin.replaces],
      ];
}

function programFields(programs: readonly ProgramStart[]): [string, string][] {
  const last = programs.at(-1);
  if (last === undefined) return [];
  const python =
    last.interpreter === '' ? [] : [['python', `${last.interpreter}, ${pythonVersionText(last)}`] as [string, string]];
  return [['command', shellLine(last.command)], ...python];
}

function trialFields(trial: Trial, sweep: Sweep, programs: readonly ProgramStart[]): [string, string][] {
  const parameters = Object.entries(fromWire(trial.parameters)).sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ['trial', trial.id],
    ['config', trial.configId],
    ['sweep', trial.sweepId],
    ['index', String(trial.index)],
    ['state', shownState(trial.state)],
    ...failureFields(trial),
    ...(trial.stopReason === ''
      ? []
      : [[trialState.of(trial.state) === 'held' ? 'held by' : 'stopped by', trial.stopReason] as [string, string]]),
    ...originFields(trial),
    ...warningFields(sweep),
    ['seed', String(trial.seed)],
    ['agent', trial.agentId || '-'],
    ['backend', trial.backend || '-'],
    ...resultFields(trial, sweep),
    ['started', isoTime(trial.startedAtMs) ?? '-'],
    ['duration', trial.leasedMs > 0 ? formatSpan(leasedMs(trial, Date.now())) : '-'],
    ...programFields(programs),
    ...parameters.map(([name, value]): [string, string] => [`  ${name}`, String(value)]),
  ];
}

function attemptsText(attempts: readonly Attempt[], terminal: Terminal): string {
  const columns: Column<Attempt>[] = [
    { header: 'attempt', numeric: true, cell: (attempt) => String(attempt.number) },
    { header: 'outcome', neverCut: true, required: true, cell: attemptState },
    ...(attempts.some(({ speculative }) => speculative)
      ? [{ header: 'speculative', cell: ({ speculative }: Attempt) => (speculative ? 'yes' : '-') }]
      : []),
    {
      header: 'failure',
      cell: ({ failure }) => (failure ? `${failureClass.of(failure.class)}: ${firstLine(failure.message)}` : '-'),
    },
    { header: 'duration', numeric: true, cell: (attempt) => spanText(attemptStartMs(attempt), attempt.endedAtMs) },
    { header: 'agent', elide: 'common', cell: (attempt) => attempt.agentId },
    { header: 'slot', numeric: true, cell: (attempt) => String(attempt.slot) },
    { header: 'backend', cell: (attempt) => attempt.backend || '-' },
  ];
  return attempts.length === 0 ? '' : `\n${renderTable(columns, attempts, terminal)}`;
}

/** Limits on the reports that a table shows: their number, and the total length of their metric names in characters. */
const MAX_SHOWN_REPORTS = 1_000;
const MAX_SHOWN_CHARACTERS = 4 * 1024 * 1024;

/** The newest reports of a trial, and the number of earlier reports. */
interface NewestReports {
  readonly reports: readonly Report[];
  readonly earlier: number;
}

/** Keeps only the newest reports, because a trial may have more reports than fit into memory. */
async function newestReports(all: AsyncIterable<Report>): Promise<NewestReports> {
  const size = ({ metrics }: Report) => Object.keys(metrics).reduce((sum, name) => sum + name.length, 0);
  const reports: Report[] = [];
  let characters = 0;
  let earlier = 0;
  for await (const report of all) {
    reports.push(report);
    characters += size(report);
    while (reports.length > MAX_SHOWN_REPORTS || (reports.length > 1 && characters > MAX_SHOWN_CHARACTERS)) {
      const dropped = reports.shift();
      if (dropped !== undefined) characters -= size(dropped);
      earlier += 1;
    }
  }
  return { reports, earlier };
}

function reportsText({ reports, earlier }: NewestReports, terminal: Terminal): string {
  const metrics = [...new Set(reports.flatMap((report) => Object.keys(report.metrics)))].sort();
  const number = (header: string, cell: (report: Report) => string): Column<Report> => ({
    header,
    numeric: true,
    cell,
  });
  const columns = [
    number('attempt', (report) => String(report.attempt)),
    number('epoch', (report) => formatStep(report.epoch)),
    ...metrics.map((name) => number(name, (report) => formatMetric(ownValue(report.metrics, name)))),
  ];
  const omitted = `${earlier} earlier ${earlier === 1 ? 'report is' : 'reports are'} not shown; print all with -o json\n`;
  return reports.length === 0 ? '' : `\n${earlier === 0 ? '' : omitted}${renderTable(columns, reports, terminal)}`;
}

function rungsText(rungs: readonly Rung[], stopReason: string, terminal: Terminal): string {
  const columns: Column<Rung>[] = [
    { header: 'rung', numeric: true, cell: ({ rung }) => formatStep(rung) },
    { header: 'epoch', numeric: true, cell: ({ step }) => formatStep(step) },
    { header: 'value', numeric: true, cell: ({ value }) => formatMetric(value) },
    // The rung at which a trial was stopped has no reason of its own. For this rung, the stop reason of the trial is
    // shown.
    { header: 'decision', cell: (rung) => rung.reason || (rung === rungs.at(-1) ? stopReason : '') || '-' },
  ];
  return rungs.length === 0 ? '' : `\n${renderTable(columns, rungs, terminal)}`;
}

/** Finds the sweep that the selector names. If there is no such sweep, finds the trial that the selector names. */
async function find(connection: Connection, selector: string, options: ServerOptions) {
  try {
    return { kind: 'sweep', ...(await getSweep(connection, selector)) } as const;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  try {
    const found = await unary(connection, connection.client.getTrial, { sweep: '', trial: selector });
    const { sweep } = await getSweep(connection, found.trial?.sweepId ?? '');
    return { kind: 'trial', ...found, sweep } as const;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    throw new NotFoundError(
      `no sweep or trial ${JSON.stringify(selector)}; list them with "${suggested('ls', options)}" and "${suggested('trials', options)}"`,
    );
  }
}

function artifactsText(artifacts: readonly Artifact[], terminal: Terminal): string {
  const columns: Column<Artifact>[] = [
    { header: 'artifact', elide: 'middle', cell: ({ name }) => name },
    { header: 'kind', cell: ({ kind }) => artifactKind.of(kind) },
    { header: 'attempt', numeric: true, cell: ({ attempt }) => String(attempt) },
    { header: 'bytes', numeric: true, cell: ({ size }) => String(size) },
  ];
  return artifacts.length === 0 ? '' : `\n${renderTable(columns, artifacts, terminal)}`;
}

async function showTrial(
  connection: Connection,
  { trial, attempts, artifacts, programs, rungs, sweep }: GetTrialResponse & { readonly sweep: Sweep },
  options: Options,
): Promise<void> {
  if (trial === undefined) throw new Error('the response of the coordinator contains no trial');
  const reports = streamReports(connection, sweep.id, trial.id);
  if (options.output === 'json') {
    const before = {
      ...trialJson(trial),
      warnings: sweep.warnings.map(warningJson),
      attempt_list: attempts.map(attemptJson),
    };
    const after = {
      artifacts: artifacts.map(artifactJson),
      programs: programs.map(programJson),
      rungs: rungs.map(({ atMs, ...rung }) => ({ ...rung, at: isoTime(atMs) })),
    };
    return printJsonWithList(before, 'reports', reports, reportJson, after);
  }
  const terminal = resultTerminal(options);
  return print(
    renderFields(trialFields(trial, sweep, programs), terminal) +
      attemptsText(attempts, terminal) +
      reportsText(await newestReports(reports), terminal) +
      rungsText(rungs, trial.stopReason, terminal) +
      artifactsText(artifacts, terminal),
  );
}

function diffOf({ source }: GetSourceResponse, sweep: Sweep): string {
  if (source === undefined) throw new NotFoundError(`sweep ${sweep.id} has no diff: its sweep file has no key "code"`);
  if (source.diff === '') throw new NotFoundError(`sweep ${sweep.id} has no diff: ${gitText(source.git)}`);
  return visibleLines(source.diff.endsWith('\n') ? source.diff : `${source.diff}\n`);
}

function packagesOf(environments: readonly { readonly packages: string }[], selector: string): string {
  const packages = environments.map((one) => one.packages).find((text) => text !== '');
  if (packages === undefined) {
    throw new NotFoundError(
      `no packages are recorded for ${selector}: its program is not Python, has not started, or ended too early`,
    );
  }
  return `${visibleLines(packages)}\n`;
}

/**
 * Returns the limits on the replicates of a sweep with adaptive replicates; undefined for other sweeps. Loads the
 * parser of sweep files only for a sweep with several replicates, because loading takes time.
 */
async function adaptiveReplicatesOf(
  { name, replicates }: Sweep,
  text: string,
): Promise<AdaptiveReplicates | undefined> {
  if (replicates < 2) return undefined;
  const { storedSpec } = await import('../options/sweep-file.ts');
  return storedSpec(text, name)?.adaptiveReplicates;
}

async function showSweep(connection: Connection, sweep: Sweep, text: string, options: Options): Promise<void> {
  const facts = await getSource(connection, sweep.id);
  if (options.output !== 'json')
    return print(sweepText(sweep, await adaptiveReplicatesOf(sweep, text), facts, resultTerminal(options)));
  const code = facts.source === undefined ? null : sourceJson(facts.source);
  return printJson({
    ...sweepJson(sweep),
    file: text,
    code,
    environments: facts.environments.map(environmentJson),
  });
}

async function show(selector: string, options: Options): Promise<void> {
  const wantsFile = options.file === true || options.version !== undefined;
  if ([options.diff, options.packages, wantsFile].filter(Boolean).length > 1) {
    throw new BadInputError('--diff, --packages and --file (or --version) cannot be combined');
  }
  return withConnection(options, async (connection) => {
    const found = await find(connection, selector, options);
    if (options.diff) return print(diffOf(await getSource(connection, found.sweep.id), found.sweep));
    if (found.kind === 'trial') {
      if (wantsFile) {
        const option = options.file ? '--file' : '--version';
        throw new BadInputError(`${option} needs a sweep, not a trial; the trial belongs to sweep ${found.sweep.id}`);
      }
      return options.packages ? print(packagesOf(found.programs, selector)) : showTrial(connection, found, options);
    }
    if (wantsFile) {
      return print((await getSweep(connection, found.sweep.id, options.version ?? 0)).text);
    }
    if (!options.packages) return showSweep(connection, found.sweep, found.text, options);
    return print(packagesOf((await getSource(connection, found.sweep.id)).environments, selector));
  });
}

export function registerShow(program: Command): void {
  const command = program
    .command('show')
    .description('show a sweep, or a trial with its attempts, metrics and artifacts')
    .option('--file', 'print the current version of the sweep file, as the user wrote it')
    .option('--version <n>', 'print this version of the sweep file, with or without --file', parseCount)
    .option('--diff', 'print the uncommitted changes of the code that was submitted')
    .option('--packages', 'print the Python packages that the program ran with, as pip freeze does')
    .argument('[sweep-or-trial]', 'sweep id, name or "last"; or trial id, unambiguous prefix or SWEEP/ID', 'last');
  withHelp(withOutput(withServer(command)), {
    examples: [
      ['trawl show', 'show the newest sweep'],
      ['trawl show 3f2a91bc', 'show a trial: parameters, attempts, and metrics by epoch'],
      ['trawl show 3 --diff > changes.patch', 'write the uncommitted changes of its code'],
      ['trawl show 3 --packages > requirements.txt', 'write the packages that its program ran with'],
      ['trawl show 3 --version 1 > sweep.yaml', 'write the first version of its sweep file'],
      ['trawl show 3 -o json', 'print a sweep and its sweep file as JSON'],
    ],
  }).action((selector: string, _options: Options, self: Command) => show(selector, self.optsWithGlobals<Options>()));
}
