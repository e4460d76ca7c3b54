import { countText, formatCount } from '../../../lib/text/numbers.ts';
import { shellLine } from '../../../lib/text/shell.ts';
import type { Agent, Environment } from '../../../proto/gen/trawl/v1/types.ts';
import { diffSummary } from '../../output/code.ts';
import { isoTime } from '../../output/format.ts';
import type { ReportData } from '../data.ts';
import type { ReportBlock, Section } from '../document.ts';

/** Returns the section with the commands, the versions and the sweep file that reproduce the sweep. */
export function reproduceSection(data: ReportData): Section {
  const { sweep, spec, text, version } = data;
  const machines = machinesTable(data);
  return {
    id: 'reproduce',
    title: 'How to reproduce',
    blocks: [
      {
        kind: 'text',
        text:
          spec.trainer === 'command'
            ? 'Save the sweep file below as sweep.yaml in the working directory of its program, and run there:'
            : 'Save the sweep file below as sweep.yaml, and run:',
      },
      {
        kind: 'code',
        language: 'sh',
        text: 'trawl plan sweep.yaml\ntrawl up sweep.yaml --dir runs\ntrawl report --dir runs',
      },
      {
        kind: 'facts',
        rows: [
          ['trawl', version],
          ['sweep', sweep.id],
          ['version of the sweep file', `${sweep.version ?? 1}`],
          ['submitted', isoTime(sweep.createdAtMs) ?? '-'],
          ['ended', isoTime(sweep.endedAtMs) ?? '-'],
          ['fingerprint', sweep.fingerprint],
          ...codeRows(data),
        ],
      },
      ...(machines === undefined ? [] : [machines]),
      ...codeBlocks(data),
      ...environmentBlocks(data),
      { kind: 'heading', text: 'Sweep file' },
      { kind: 'code', language: text.trimStart().startsWith('{') ? 'json' : 'yaml', text },
    ],
  };
}

function codeRows({ facts: { source }, program }: ReportData): [string, string][] {
  const command: [string, string][] =
    program === undefined ? [] : [['command of the best trial', shellLine(program.command)]];
  if (source === undefined) return command;
  const { archive, files, git } = source;
  return [
    ...command,
    ['code', `${countText(files, 'file')}, sha256 ${archive?.sha256 ?? '-'}`],
    ['commit', git?.commit || `none: ${git?.missing || 'unknown'}`],
    ...(git?.branch ? [['branch', git.branch] satisfies [string, string]] : []),
    ...(git?.remote ? [['remote', git.remote] satisfies [string, string]] : []),
    ['uncommitted changes', diffSummary(source.diff) ?? (git?.dirty ? 'not recorded' : 'none')],
  ];
}

function codeBlocks({ facts: { source } }: ReportData): ReportBlock[] {
  if (source === undefined || source.diff === '') return [];
  return [
    { kind: 'heading', text: 'Uncommitted changes of the code' },
    { kind: 'code', language: 'diff', text: source.diff },
  ];
}

/** Returns the packages of the most frequent environment, and for every other environment, how its packages differ. */
function environmentBlocks({ facts: { environments } }: ReportData): ReportBlock[] {
  const [first, ...others] = environments;
  if (first === undefined) return [];
  const packages = new Set(first.packages.split('\n'));
  const blocks: ReportBlock[] = [
    { kind: 'heading', text: 'Python packages' },
    { kind: 'text', text: environmentText(first) },
    { kind: 'code', language: 'text', text: first.packages },
  ];
  for (const other of others) {
    const own = new Set(other.packages.split('\n'));
    const changes = [
      ...[...packages].filter((line) => !own.has(line)).map((line) => `- ${line}`),
      ...[...own].filter((line) => !packages.has(line)).map((line) => `+ ${line}`),
    ];
    blocks.push({ kind: 'text', text: `${environmentText(other)} The packages differ from those above:` });
    blocks.push({ kind: 'code', language: 'diff', text: changes.join('\n') });
  }
  return blocks;
}

function environmentText({ python, attempts, agents }: Environment): string {
  return `Python ${python || 'of an unknown version'}: ${countText(attempts, 'attempt')} on ${agents.join(', ')}.`;
}

/**
 * Returns the table of the agents and backends that ran the trials, because results are reproducible only on the same
 * backend.
 */
function machinesTable({ trials, agents }: ReportData): ReportBlock | undefined {
  const byMachine = new Map<string, { agent: string; backend: string; trials: number }>();
  for (const { agentId: agent, backend } of trials) {
    if (agent === '') continue;
    const key = JSON.stringify([agent, backend]);
    const machine = byMachine.get(key) ?? { agent, backend, trials: 0 };
    machine.trials += 1;
    byMachine.set(key, machine);
  }
  if (byMachine.size === 0) return undefined;
  const known = new Map<string, Agent>(agents.map((agent) => [agent.id, agent]));
  const columns = [
    { header: 'agent', numeric: false },
    { header: 'host', numeric: false },
    { header: 'GPUs', numeric: false },
    { header: 'version', numeric: false },
    { header: 'backend', numeric: false },
    { header: 'trials', numeric: true },
  ];
  const rows = [...byMachine.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { agent, backend, trials: count }]) => [
      agent,
      known.get(agent)?.host || '-',
      known.get(agent)?.gpus.join(', ') || '-',
      known.get(agent)?.version || '-',
      backend || '-',
      formatCount(count),
    ]);
  const hasValue = columns.map((_, i) => rows.some((row) => row[i] !== '-'));
  return {
    kind: 'table',
    table: {
      caption: 'Agents and backends of the latest attempts',
      columns: columns.filter((_, i) => hasValue[i]),
      rows: rows.map((row) => row.filter((_, i) => hasValue[i])),
    },
  };
}
