/** Logs of the coordinator and the agent on stderr, as JSON or text. */
import { type Command, Option } from 'commander';
import { destination, type Logger, pino } from 'pino';
import { visibleLines } from '../../lib/text/visible-text.ts';
import { jsonSafe } from '../output/print.ts';

export interface LogOptions {
  readonly logLevel: string;
  readonly logFormat?: 'json' | 'text';
}

/** Adds `--log-level` and `--log-format`. */
export function withLog(command: Command): Command {
  return command
    .addOption(
      new Option('--log-level <level>', 'minimum level to log')
        .choices(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
        .default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'log format (default: text on a terminal, json otherwise)').choices([
        'json',
        'text',
      ]),
    );
}

/** Returns a logger for a program. @param fd the file descriptor to write to, by default stderr */
export async function newLogger(part: string, options: LogOptions, fd = 2): Promise<Logger> {
  const text = options.logFormat === undefined ? process.stderr.isTTY : options.logFormat === 'text';
  const settings = {
    base: { part },
    level: options.logLevel,
    timestamp: pino.stdTimeFunctions.isoTime,
    // Logs contain names that other users chose. A terminal would interpret control characters in these names.
    hooks: { streamWrite: text ? visibleRecord : jsonSafe },
    redact: ['password', 'token', 'secret', '*.password', '*.token', '*.secret'],
  };
  if (!text) return pino(settings, destination({ fd, sync: true }));
  const { default: pretty } = await import('pino-pretty');
  return pino(
    settings,
    pretty({ destination: fd, sync: true, ignore: 'part,pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }),
  );
}

function visibleRecord(line: string): string {
  const record = JSON.parse(line, (_key, value: unknown) => {
    if (typeof value === 'string') return visibleLines(value);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, held]) => [visibleLines(name), held]));
  });
  return `${JSON.stringify(record)}\n`;
}
