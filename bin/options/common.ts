/** Flags that several verbs share, so that they read the same everywhere. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { DEFAULT_ADDRESS } from '../../lib/net/address.ts';
import { parseDuration } from '../../lib/text/duration.ts';
import { type Labels, labelProblem } from '../../proto/limits.ts';

export interface GlobalOptions {
  readonly color: boolean;
  readonly debug?: true;
}

export interface ServerOptions {
  readonly server?: string;
  readonly dir?: string;
  readonly identity?: string;
}

export interface OutputOptions {
  readonly output: 'table' | 'json';
}

export interface QuietOptions {
  readonly quiet?: true;
}

/** `--server`, `--dir`: which coordinator; `--identity`: who asks. */
export function withServer(command: Command): Command {
  return command
    .option(
      '--server <host:port>',
      `coordinator to ask (default: TRAWL_SERVER, else the identity's, else ${DEFAULT_ADDRESS})`,
    )
    .option('--identity <dir>', 'who you are, for a coordinator that asks (default: TRAWL_IDENTITY)')
    .option('--dir <dir>', "a coordinator's data folder: asks the one at work on it, else reads the folder itself");
}

/** The same flags once more, for a command line that a message proposes; with the space before them. */
export function serverFlags({ server, dir, identity }: ServerOptions): string {
  const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
  const flags = { server: dir === undefined ? server : undefined, dir, identity };
  return Object.entries(flags)
    .map(([name, value]) => (value === undefined ? '' : ` --${name} ${quoted(value)}`))
    .join('');
}

/** `-o table|json`. */
export function withOutput(command: Command): Command {
  return command.addOption(
    new Option('-o, --output <format>', 'how to print the result').choices(['table', 'json']).default('table'),
  );
}

/** `-q`: ids only. */
export function withQuiet(command: Command): Command {
  return command.option('-q, --quiet', 'print ids only, one a line');
}

export interface Help {
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** Exit codes beyond the usual 0, 2, 3, 4. */
  readonly exits?: readonly (readonly [number, string])[];
  /** Whether the verb talks to a coordinator. */
  readonly remote?: boolean;
}

/** Adds examples and exit codes to a verb's `--help`. */
export function withHelp(command: Command, { examples, exits = [], remote = true }: Help): Command {
  const codes = [
    [0, 'done'],
    [2, 'bad input or usage'],
    ...(remote
      ? ([
          [3, 'no coordinator could be reached'],
          [4, 'the coordinator refused'],
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

/** The largest count that the wire carries. */
const MAX_COUNT = 2 ** 32 - 1;

/** A whole number from 1 up. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MAX_COUNT) {
    throw new InvalidArgumentError('Expected a whole number from 1 up.');
  }
  return count;
}

/** One more `NAME=VALUE`; of two with one name, a mistake. */
export function addLabel(text: string, before: Labels): Labels {
  const [, name, value] = /^([^=]*)=(.*)$/su.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Expected NAME=VALUE, such as zone=a.');
  if (Object.hasOwn(before, name)) throw new InvalidArgumentError(`Label ${name} is given twice.`);
  const labels = { ...before, [name]: value };
  const problem = labelProblem(labels);
  if (problem !== undefined) throw new InvalidArgumentError(`${problem}.`);
  return labels;
}

/** Parses a duration that a timer waits for, such as `90s` or `1h30m`, in milliseconds. */
export function durationOption(text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 90s, 15m, 1h30m or 1d, up to 24d.');
  return ms;
}

/** Parses an age, such as `90s` or `365d`, in milliseconds. It has no upper limit. */
export function ageOption(text: string): number {
  const ms = parseDuration(text, Number.MAX_SAFE_INTEGER);
  if (ms === undefined) throw new InvalidArgumentError('Expected a duration such as 90s, 2h, 1d or 365d.');
  return ms;
}
