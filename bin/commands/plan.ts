import type { Command } from 'commander';
import { type Plan, plan as planOf } from '../../coordinator/grid/plan.ts';
import type { Column } from '../../lib/text/table.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { loadSweepFile } from '../options/sweep-file.ts';
import { print, printJson } from '../output/print.ts';
import { renderFields, renderTable } from '../output/table.ts';
import { type Terminal, terminalOf } from '../output/terminal.ts';

type Options = GlobalOptions & OutputOptions;

const grouped = new Intl.NumberFormat('en').format;

function planText(plan: Plan, terminal: Terminal): string {
  const axes: Column<[string, number]>[] = [
    { header: 'axis', cell: ([name]) => name },
    { header: 'values', numeric: true, cell: ([, count]) => grouped(count) },
  ];
  const excluded: Column<Plan['excluded'][number]>[] = [
    { header: 'excluded', numeric: true, cell: ({ count }) => grouped(count) },
    { header: 'because of', cell: ({ rule }) => rule },
  ];
  const summary = renderFields(
    [
      ['sweep', plan.sweep],
      ['trials', grouped(plan.trials)],
      ['configs', grouped(plan.configs)],
      ['replicates', grouped(plan.replicates)],
      ['duplicates', `${grouped(plan.duplicates)}${plan.duplicates > 0 ? ' (equal after "when": run once)' : ''}`],
    ],
    terminal,
  );
  const rules = plan.excluded.length > 0 ? `\n${renderTable(excluded, plan.excluded, terminal)}` : '';
  return `${summary}\n${renderTable(axes, Object.entries(plan.axes), terminal)}${rules}`;
}

async function plan(file: string, options: Options): Promise<void> {
  const planned = planOf((await loadSweepFile(file)).spec);
  if (options.output === 'json') return printJson(planned);
  return print(planText(planned, terminalOf(process.stdout, options.color, process.env)));
}

export function registerPlan(program: Command): void {
  const command = program
    .command('plan')
    .description('check a sweep file and count what it would run; nothing is started, no server is needed')
    .argument('<file>', 'sweep file, YAML or JSON');
  withHelp(withOutput(command), {
    remote: false,
    examples: [
      ['trawl plan sweep.yaml', 'values of each axis, trials in all, what is excluded and why'],
      ['trawl plan sweep.yaml -o json', 'the same as JSON'],
    ],
  }).action((file: string, _options: Options, self: Command) => plan(file, self.optsWithGlobals<Options>()));
}
