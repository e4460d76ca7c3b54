/** Logs of the long-running parts: JSON for machines, lines for people. They go to stderr. */
import { type Command, Option } from 'commander';
import { destination, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { jsonSafe } from '../output/print.ts';

export interface LogOptions {
  readonly logLevel: string;
  readonly logFormat?: 'json' | 'text';
}

/** `--log-level`, `--log-format`. */
export function withLog(command: Command): Command {
  return command
    .addOption(
      new Option('--log-level <level>', 'least level that is logged')
        .choices(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
        .default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'how (default: text on a terminal, else json)').choices(['json', 'text']),
    );
}

/** @param fd where the lines go: stderr, but for tests */
export function newLogger(part: string, options: LogOptions, fd = 2): Logger {
  const text = options.logFormat === undefined ? process.stderr.isTTY : options.logFormat === 'text';
  const settings = {
    base: { part },
    level: options.logLevel,
    timestamp: pino.stdTimeFunctions.isoTime,
    // What others call themselves comes into logs, and logs come onto terminals.
    hooks: { streamWrite: text ? visibleRecord : jsonSafe },
    // Nothing logs these today; a name that holds a secret never shall.
    redact: ['password', 'token', 'secret', '*.password', '*.token', '*.secret'],
  };
  if (!text) return pino(settings, destination({ fd, sync: true }));
  return pino(
    settings,
    pretty({ destination: fd, sync: true, ignore: 'part,pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }),
  );
}

/** A log's record with nothing in it, names included, that a terminal acts on. */
function visibleRecord(line: string): string {
  const record = JSON.parse(line, (_key, value: unknown) => {
    if (typeof value === 'string') return visibleLines(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, held]) => [visibleLines(name), held]));
  });
  return `${JSON.stringify(record)}\n`;
}
