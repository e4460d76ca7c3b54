import type { Command } from 'commander';
import { defaultAgentDir } from '../../agent/folders.ts';
import { parseS3Location } from '../../coordinator/artifacts/s3-location.ts';
import { DEFAULT_PYTHON } from '../../coordinator/search/optuna/process.ts';
import { DEFAULT_ADDRESS, natsUrls, parseServers } from '../../lib/net/address.ts';
import { EXIT } from '../../proto/errors.ts';
import { examine } from '../doctor/examine.ts';
import { faults, findingsText } from '../doctor/finding.ts';
import { type GlobalOptions, type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { artifactsLocation, pathOption, storeLocation } from '../options/values.ts';
import { print, printJson } from '../output/print.ts';
import { resultTerminal } from '../output/terminal.ts';

interface DoctorOptions extends OutputOptions {
  readonly nats?: string;
  readonly dir: string;
  readonly agentDir: string;
  readonly server?: string;
  readonly identity?: string;
  readonly artifacts?: string;
  readonly store?: string;
  readonly python: string;
}

export function registerDoctor(program: Command): void {
  const command = withOutput(program.command('doctor'))
    .description('check whether this machine can run sweeps, and print how to fix each problem')
    .option('--nats <url>', 'check this NATS server (default: TRAWL_NATS, or else a local nats-server program)')
    .option('--dir <dir>', 'data folder to check', pathOption, '.')
    .option('--agent-dir <dir>', 'agent folder to check', pathOption, defaultAgentDir())
    .option(
      '--server <host:port>',
      'coordinator on which the agent id must be unique ' +
        `(default: TRAWL_SERVER, or else the identity's coordinator, or else ${DEFAULT_ADDRESS})`,
    )
    .option(
      '--identity <dir>',
      'your identity, for a coordinator that requires one (default: TRAWL_IDENTITY)',
      pathOption,
    )
    .option(
      '--artifacts <s3-url>',
      'S3-compatible artifact store to check; the check writes one object and deletes it ' +
        '(default: TRAWL_ARTIFACT_STORE, or else none)',
    )
    .option(
      '--store <postgres-url>',
      'PostgreSQL database to check; the check creates a table and drops it (default: TRAWL_STORE, or else none)',
    )
    .option('--python <program>', 'Python interpreter in which to look for Optuna', DEFAULT_PYTHON)
    .action(async (options: DoctorOptions) => {
      const { dir, agentDir, server, identity, python } = options;
      const nats = natsUrls(options.nats);
      if (server !== undefined) parseServers(server, '--server');
      const location = artifactsLocation(options.artifacts);
      const artifacts = location === undefined ? undefined : parseS3Location(location);
      const store = storeLocation(options.store);
      const examined = { nats, dir, agentDir, server, identity, artifacts, store, python, env: process.env };
      const findings = await examine(examined);
      const terminal = resultTerminal(command.optsWithGlobals<GlobalOptions & OutputOptions>());
      const ready = faults(findings).length === 0;
      if (options.output === 'json') await printJson({ ready, findings });
      else await print(findingsText(findings, terminal));
      process.exitCode = ready ? EXIT.done : EXIT.failedTrials;
    });
  withHelp(command, {
    remote: false,
    examples: [
      ['trawl doctor', 'check everything'],
      ['trawl doctor --nats nats://bus.example:4222', 'check with a remote NATS server'],
      ["trawl doctor --artifacts 's3://sweeps/a?endpoint=https://s3.example'", 'also check an artifact store'],
      [
        "trawl doctor --store 'postgres://trawl@db.example/trawl?sslmode=verify-full'",
        'also check a PostgreSQL database',
      ],
      ['trawl doctor -o json', 'print the findings as JSON'],
    ],
    exits: [[1, 'this machine cannot run sweeps']],
  });
}
