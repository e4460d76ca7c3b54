import { type Command, Option } from 'commander';
import { withConnection } from '../client/connect.ts';
import { type ServerOptions, withHelp, withServer } from '../options/common.ts';
import { pathOption } from '../options/values.ts';
import { print } from '../output/print.ts';
import type { ReportFormat } from '../report/write-report.ts';

interface Options extends ServerOptions {
  readonly format: ReportFormat;
  readonly out?: string;
  readonly file?: string;
}

const ABOUT = `
The HTML report is one self-contained file with charts and reconstructions. The Markdown report has the same numbers in
tables; with --out FOLDER, its charts and images are written to NAME-report/ next to it.`;

async function report(sweep: string, options: Options): Promise<void> {
  const { writeReport } = await import('../report/write-report.ts');
  const { format, out, file, server, dir } = options;
  const location = { server, dir };
  const written = await withConnection(options, (connection) =>
    writeReport(connection, { sweep, format, out, file, location }, new Date()),
  );
  await print(written.map((path) => `${path}\n`).join(''));
}

export function registerReport(program: Command): void {
  const command = program
    .command('report')
    .description('write a report: verdicts, ranking, charts, reconstructions, and how to reproduce the sweep')
    .argument('[sweep]', 'sweep id, name or "last"', 'last')
    .addOption(new Option('-f, --format <format>', 'report format').choices(['html', 'md', 'both']).default('both'))
    .option(
      '--out <path>',
      'output file, existing folder, or new folder if the path ends in / ' +
        '(default: NAME-report.html and NAME-report.md)',
      pathOption,
    )
    .option('--file <sweep.yaml>', 'test the hypotheses of this file instead of the hypotheses of the sweep')
    .addHelpText('after', ABOUT);
  withHelp(withServer(command), {
    examples: [
      ['trawl report', 'report of the newest sweep, as HTML and Markdown'],
      ['trawl report 3 --dir runs/ae -f html --out study.html', 'HTML only, from a data folder'],
      ['trawl report 3 --out reports/', 'both formats, with the charts of the Markdown report as files'],
      ['trawl report 3 --file hypotheses.yaml', 'test hypotheses written after the sweep'],
    ],
  }).action((sweep: string, options: Options) => report(sweep, options));
}
