import type { Command } from 'commander';
import type { Style } from '../../lib/text/style.ts';
import { EXIT } from '../../proto/errors.ts';
import { examine } from '../doctor/examine.ts';
import { type Finding, faults } from '../doctor/finding.ts';
import { type OutputOptions, withHelp, withOutput } from '../options/common.ts';
import { print, printJson } from '../output/print.ts';
import { paint, type Terminal, terminalOf } from '../output/terminal.ts';

interface DoctorOptions extends OutputOptions {
  readonly nats?: string;
  readonly dir: string;
}

const STYLES: Record<Finding['state'], Style> = { ok: 'cyan', warning: 'yellow', missing: 'magenta' };
const STATE_WIDTH = 'warning'.length;

/** `trawl doctor`: what a sweep on this machine needs, what is here, and how to mend what is not. */
export function registerDoctor(program: Command): void {
  const command = withOutput(program.command('doctor'))
    .description('say whether a sweep can run on this machine, and how to mend what is missing')
    .option('--nats <url>', 'look at this running NATS server (default: TRAWL_NATS, else a nats-server program here)')
    .option('--dir <dir>', 'folder in which sweeps would be kept', '.')
    .action(async (options: DoctorOptions) => {
      const findings = await examine({ nats: options.nats, dir: options.dir, env: process.env });
      const terminal = terminalOf(process.stdout, command.optsWithGlobals().color !== false, process.env);
      const ready = faults(findings).length === 0;
      if (options.output === 'json') await printJson({ ready, findings });
      else await print(findingsText(findings, terminal));
      process.exitCode = ready ? EXIT.done : EXIT.failedTrials;
    });
  withHelp(command, {
    remote: false,
    examples: [
      ['trawl doctor', 'look at everything'],
      ['trawl doctor --nats nats://bus.example:4222', 'with a NATS server elsewhere'],
      ['trawl doctor -o json', 'the same for scripts'],
    ],
    exits: [[1, 'no sweep can run here']],
  });
}

/** A line a finding, its mend below it where there is one, and the verdict. */
export function findingsText(findings: readonly Finding[], terminal: Terminal): string {
  const width = Math.max(...findings.map(({ name }) => name.length));
  const lines = findings.flatMap(({ name, state, detail, mend }) => {
    const indent = ' '.repeat(STATE_WIDTH + width + 4);
    const mending = mend === undefined ? [] : mend.split('\n').map((line) => `${indent}${line}`);
    return [
      `${paint(state.padEnd(STATE_WIDTH), STYLES[state], terminal)}  ${name.padEnd(width)}  ${detail}`,
      ...mending,
    ];
  });
  const names = faults(findings).map(({ name }) => name);
  const verdict = names.length === 0 ? 'A sweep can run here.' : `No sweep can run here yet: ${names.join(', ')}.`;
  return `${[...lines, '', verdict].join('\n')}\n`;
}
