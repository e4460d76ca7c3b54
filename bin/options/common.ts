/** Options and help sections that several verbs share. */
import { type Command, Option } from 'commander';
import { parsePostgresLocation } from '../../coordinator/store/postgres/location.ts';
import { DEFAULT_ADDRESS } from '../../lib/net/address.ts';
import { shellLine } from '../../lib/text/shell.ts';
import { pathOption } from './values.ts';

/** The global options that control colors and the character set of the output. */
export interface LookOptions {
  /** False with the option `--no-color`. */
  readonly color: boolean;
  readonly ascii?: true;
}

export interface GlobalOptions extends LookOptions {
  readonly debug?: true;
}

export interface ServerOptions {
  readonly server?: string;
  readonly dir?: string;
  readonly store?: string;
  readonly identity?: string;
  readonly tokenFile?: string;
}

/** The value of `--output`. `table` fits the width of the terminal, and `wide` shows every column in full. */
export type OutputFormat = 'table' | 'wide' | 'json';

export interface OutputOptions {
  readonly output: OutputFormat;
}

export interface QuietOptions {
  readonly quiet?: true;
}

/** Help of `--token-file`. */
export const TOKEN_FILE_HELP =
  'file with the token of a coordinator on this machine (default: TRAWL_TOKEN, or else the token of your own coordinator)';

/**
 * Adds `--no-auth`. By default, the service requires a token on the loopback interface.
 * @param service the name of the service that the token protects, for the help text
 */
export function withAuth(command: Command, service: string): Command {
  return command.option(
    '--no-auth',
    `require no token for ${service} on the loopback interface: every user of this machine has access`,
  );
}

/** Adds `--server`, `--dir`, `--store`, `--identity` and `--token-file`. */
export function withServer(command: Command): Command {
  return command
    .option(
      '--server <host:port>',
      `coordinator to connect to, or comma-separated coordinators of one store (default: TRAWL_SERVER, or else the identity's coordinator, or else ${DEFAULT_ADDRESS})`,
    )
    .option(
      '--identity <dir>',
      'your identity, for a coordinator that requires one (default: TRAWL_IDENTITY)',
      pathOption,
    )
    .option(
      '--dir <dir>',
      'data folder: connect to the coordinator that uses it, or else read the folder itself',
      pathOption,
    )
    .option(
      '--store <postgres-url>',
      'PostgreSQL database with the store: read it while no coordinator runs; --dir names the data folder with artifacts ' +
        'that are not in S3',
    )
    .option('--token-file <file>', TOKEN_FILE_HELP, pathOption);
}

/**
 * Returns the server options as command-line flags with a leading space, for commands that messages suggest. The URL of
 * a database is returned without its password.
 */
export function serverFlags({ server, dir, store, identity, tokenFile }: ServerOptions): string {
  const database = store === undefined ? undefined : parsePostgresLocation(store).name;
  const address = dir === undefined ? server : undefined;
  const flags = { server: address, dir, store: database, identity, 'token-file': tokenFile };
  return Object.entries(flags)
    .map(([name, value]) => (value === undefined ? '' : ` --${name} ${shellLine([value])}`))
    .join('');
}

/** Adds `-o table|wide|json`. */
export function withOutput(command: Command): Command {
  const format = new Option('-o, --output <format>', 'output format; wide shows columns that do not fit the terminal');
  return command.addOption(format.choices(['table', 'wide', 'json']).default('table'));
}

/** Adds `-q`. */
export function withQuiet(command: Command): Command {
  return command.option('-q, --quiet', 'print only ids, one per line');
}

/** Adds `--reason`. */
export function withReason(command: Command): Command {
  return command.option('--reason <text>', 'reason to record and display');
}

/** Adds `--by` and `--goal`. */
export function withRanking(command: Command): Command {
  return command
    .option('--by <metric>', "metric to rank by (default: the sweep's metric)")
    .addOption(
      new Option(
        '--goal <goal>',
        "whether the lowest or the highest value is best (default: the sweep's goal, or else the metric's usual goal)",
      ).choices(GOALS),
    );
}

const GOALS = ['minimize', 'maximize', 'min', 'max'] as const;
export type GoalChoice = (typeof GOALS)[number];

export interface Help {
  /** Command lines, each with a description. */
  readonly examples: readonly (readonly [string, string])[];
  /**
   * Exit codes of the verb, in addition to the usual exit codes. If a usual exit code has the same number, the help
   * shows only the text given here.
   */
  readonly exits?: readonly (readonly [number, string])[];
  /** Whether the verb connects to a coordinator. Default: true. */
  readonly remote?: boolean;
}

/** Adds examples and exit codes to the `--help` of a verb. */
export function withHelp(command: Command, { examples, exits = [], remote = true }: Help): Command {
  const codes = [
    [0, 'success'],
    [2, 'invalid input or usage'],
    ...(remote
      ? ([
          [3, 'no coordinator could be reached'],
          [4, 'the coordinator rejected the request'],
        ] as const)
      : []),
    ...exits,
    [130, 'interrupted'],
  ] as const;
  const sorted = [...new Map(codes).entries()].sort(([a], [b]) => a - b);
  const width = Math.max(...examples.map(([line]) => line.length));
  const lines = [
    '',
    'Examples:',
    ...examples.map(([line, about]) => `  ${line.padEnd(width)}  ${about}`),
    '',
    'Exit codes:',
    ...sorted.map(([code, meaning]) => `  ${String(code).padStart(3)}  ${meaning}`),
  ];
  return command.addHelpText('after', lines.join('\n'));
}
