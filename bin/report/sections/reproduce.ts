import { formatCount } from '../../../lib/text/numbers.ts';
import type { Agent } from '../../../proto/gen/trawl/v1/types.ts';
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
          ['submitted', isoTime(sweep.createdAtMs) ?? '-'],
          ['ended', isoTime(sweep.endedAtMs) ?? '-'],
          ['fingerprint', sweep.fingerprint],
        ],
      },
      ...(machines === undefined ? [] : [machines]),
      { kind: 'heading', text: 'Sweep file' },
      { kind: 'code', language: text.trimStart().startsWith('{') ? 'json' : 'yaml', text },
    ],
  };
}

/** Lists the backends, because results are reproducible only on the same backend. */
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
