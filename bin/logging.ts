/** Logs of the long-running parts: JSON for machines, lines for people. They go to stderr. */
import { type Command, Option } from 'commander';
import { destination, type Logger, pino } from 'pino';
import pretty from 'pino-pretty';

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

export function newLogger(part: string, options: LogOptions): Logger {
  const text = options.logFormat === undefined ? process.stderr.isTTY : options.logFormat === 'text';
  const settings = {
    base: { part },
    level: options.logLevel,
    timestamp: pino.stdTimeFunctions.isoTime,
    // Nothing logs these today; a name that holds a secret never shall.
    redact: ['password', 'token', 'secret', '*.password', '*.token', '*.secret'],
  };
  if (!text) return pino(settings, destination({ fd: 2, sync: true }));
  return pino(
    settings,
    pretty({ destination: 2, sync: true, ignore: 'part,pid,hostname', translateTime: 'SYS:HH:MM:ss.l' }),
  );
}
