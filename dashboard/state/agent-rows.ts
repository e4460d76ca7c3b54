/** The rows of the agents view, filtered and sorted. Each row has an agent and the agent's trials of the sweep. */

import { trialEnded } from '../../lib/domain/trial-state.ts';
import { matchesFields } from '../../lib/filter/matches.ts';
import { agentReason } from '../../lib/text/agent-reason.ts';
import { formatSpan } from '../../lib/text/duration.ts';
import type { Style } from '../../lib/text/style.ts';
import type { Column } from '../../lib/text/table.ts';
import type { Agent, AgentState, Trial } from '../../proto/gen/trawl/v1/types.ts';
import { agentState } from '../../proto/names.ts';
import type { Model } from './model.ts';
import type { DashboardState } from './reducer.ts';
import type { TrialMap } from './trial-map.ts';
import { cursorOf, windowOf } from './ui.ts';

export interface AgentRow {
  readonly agent: Agent;
  /** The running trials of the sweep. */
  readonly running: readonly Trial[];
  /** The sweep's trials that most recently ended on the agent, newest first, up to MAX_RECENT. */
  readonly recent: readonly Trial[];
  /**
   * The agent's rate: the number of trials of the sweep that end with a result on the agent per hour. It is measured
   * over the last hour, or over a shorter time if the agent connected or the sweep was submitted less than an hour ago.
   * Undefined if this time is shorter than a minute (see trialsPerHour).
   */
  readonly perHour: number | undefined;
}

/** A column of the agents view, with a function that returns the sort key of a row. */
export interface AgentColumn extends Column<AgentRow> {
  readonly key: (row: AgentRow) => number | string | undefined;
  /** Whether the highest value comes first. */
  readonly descending?: boolean;
}

/** The maximum number of ended trials per agent. Even a terminal of 60 rows cannot show that many below the agents. */
const MAX_RECENT = 40;

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

interface AgentUse {
  readonly running: Trial[];
  /** See `recent` of AgentRow. */
  readonly recent: Trial[];
  /** The times at which trials ended with a result, in Unix milliseconds. */
  readonly ends: number[];
}

const uses = new WeakMap<TrialMap, ReadonlyMap<string, AgentUse>>();

function usesOf(trials: TrialMap): ReadonlyMap<string, AgentUse> {
  const known = uses.get(trials);
  if (known !== undefined) return known;
  const found = new Map<string, AgentUse>();
  for (const trial of trials.values()) {
    const { agentId, state, endedAtMs } = trial;
    const isRunning = state === 'TRIAL_STATE_RUNNING';
    const hasResult = state === 'TRIAL_STATE_SUCCEEDED' || state === 'TRIAL_STATE_STOPPED';
    if (agentId === '' || !(isRunning || trialEnded(trial))) continue;
    const use = found.get(agentId) ?? { running: [], recent: [], ends: [] };
    found.set(agentId, use);
    if (isRunning) use.running.push(trial);
    else addRecent(use.recent, trial);
    if (hasResult) use.ends.push(endedAtMs);
  }
  uses.set(trials, found);
  return found;
}

/** Adds a trial to a list of the newest trials. Sorting all trials of an agent would take too long in a large sweep. */
function addRecent(recent: Trial[], trial: Trial): void {
  const at = recent.findIndex(({ endedAtMs }) => endedAtMs < trial.endedAtMs);
  if (at >= 0) recent.splice(at, 0, trial);
  else if (recent.length < MAX_RECENT) recent.push(trial);
  if (recent.length > MAX_RECENT) recent.pop();
}

/**
 * Returns the number of trials per hour, over the last hour or over the time since `sinceMs`, whichever is shorter.
 * Undefined if this time is less than a minute.
 */
export function trialsPerHour(ends: readonly number[], sinceMs: number, untilMs: number): number | undefined {
  const from = Math.max(sinceMs, untilMs - HOUR_MS);
  if (untilMs - from < MINUTE_MS) return undefined;
  const count = ends.filter((at) => at > from && at <= untilMs).length;
  return (count * HOUR_MS) / (untilMs - from);
}

/**
 * Returns all agents in the order in which the coordinator sends them. A row looks up its trials only when they are
 * needed, because most views only count the agents, and the sweep may have many trials.
 */
function allRows({ agents, trials, sweep }: DashboardState, now: number): AgentRow[] {
  const until = sweep === undefined || sweep.endedAtMs === 0 ? now : sweep.endedAtMs;
  return agents.map((agent) => ({
    agent,
    get running() {
      return usesOf(trials).get(agent.id)?.running ?? [];
    },
    get recent() {
      return usesOf(trials).get(agent.id)?.recent ?? [];
    },
    get perHour() {
      const ends = usesOf(trials).get(agent.id)?.ends ?? [];
      const since = Math.max(agent.connectedAtMs, sweep?.createdAtMs ?? 0);
      // An agent that was lost and has returned may have results from before its current connection. Its rate then
      // covers the time since the start of the sweep.
      const first = ends.reduce((least, at) => Math.min(least, at), since);
      return trialsPerHour(ends, first < since ? (sweep?.createdAtMs ?? 0) : since, until);
    },
  }));
}

/** Returns the agents that match the filter, in the sort order that the user chose. */
export function agentRows({ state, ui, now }: Pick<Model, 'state' | 'ui' | 'now'>): AgentRow[] {
  const { filter, sort, reversed } = ui.lists.agents;
  const rows = allRows(state, now).filter((row) =>
    matchesFields(filter, { field: (name) => FIELDS[name]?.(row), text: () => textOf(row) }),
  );
  const column = agentColumns(now).find(({ header }) => header === sort);
  if (column === undefined) return reversed ? rows.reverse() : rows;
  const sign = (column.descending ? -1 : 1) * (reversed ? -1 : 1);
  return rows.sort((a, b) => compareKeys(column.key(a), column.key(b), sign));
}

/** Returns the agent under the cursor of the agents view. */
export function chosenAgent(model: Pick<Model, 'state' | 'ui' | 'now'>): AgentRow | undefined {
  const rows = agentRows(model);
  const indexOf = (wanted: string) => rows.findIndex(({ agent }) => agent.id === wanted);
  return rows[windowOf(cursorOf(model.ui, 'agents'), rows.length, 1, indexOf).at];
}

/** Rows without a key come last in both sort directions. */
function compareKeys(a: number | string | undefined, b: number | string | undefined, sign: number): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return a < b ? -sign : a > b ? sign : 0;
}

const FIELDS: Readonly<Record<string, (row: AgentRow) => number | string | undefined>> = {
  agent: ({ agent }) => agent.id,
  state: ({ agent }) => agentState.of(agent.state),
  host: ({ agent }) => agent.host,
  backend: ({ agent }) => agent.backend,
  version: ({ agent }) => agent.version,
  gpus: ({ agent }) => agent.gpus.join(', '),
  busy: ({ agent }) => agent.busy,
  slots: ({ agent }) => agent.slots,
  running: ({ running }) => running.length,
  per_hour: ({ perHour }) => perHour,
};

/** The names of the fields that an agent filter can use. */
export const AGENT_FIELDS: readonly string[] = Object.keys(FIELDS);

function textOf({ agent }: AgentRow): string {
  const labels = Object.entries(agent.labels).map(([name, value]) => `${name}=${value}`);
  return [agent.id, agentState.of(agent.state), agent.host, agent.backend, ...agent.gpus, ...labels].join(' ');
}

const AGENT_STYLES: Partial<Record<AgentState, Style>> = {
  AGENT_STATE_CONNECTED: 'cyan',
  AGENT_STATE_LOST: 'yellow',
  AGENT_STATE_LEFT: 'dim',
};

const percent = (share: number | undefined): string => (share === undefined ? '-' : `${Math.round(share * 100)}%`);

/** Returns the columns, the most important first. */
export function agentColumns(now: number): AgentColumn[] {
  return [
    { header: 'agent', elide: 'common', cell: ({ agent }) => agent.id, key: ({ agent }) => agent.id },
    {
      header: 'state',
      neverCut: true,
      required: true,
      cell: ({ agent }) => agentState.of(agent.state),
      style: ({ agent }) => AGENT_STYLES[agent.state] ?? 'magenta',
      key: ({ agent }) => agentState.of(agent.state),
    },
    numeric(
      'busy',
      ({ agent }) => agent.busy,
      ({ agent }) => `${agent.busy}/${agent.slots}`,
    ),
    numeric(
      'this sweep',
      ({ running }) => running.length,
      ({ running }) => String(running.length),
    ),
    numeric(
      'trials/h',
      ({ perHour }) => perHour,
      ({ perHour }) => (perHour === undefined ? '-' : rateText(perHour)),
    ),
    {
      ...numeric(
        'last seen',
        ({ agent }) => (agent.lastHeartbeatMs === 0 ? undefined : now - agent.lastHeartbeatMs),
        seenText(now),
      ),
      descending: false,
    },
    numeric(
      'GPU util',
      ({ agent }) => gpuUtilization(agent),
      ({ agent }) => percent(gpuUtilization(agent)),
    ),
    numeric(
      'CPU',
      ({ agent }) => agent.machineFigures?.cpu,
      ({ agent }) => percent(agent.machineFigures?.cpu),
    ),
    numeric(
      'RAM',
      ({ agent }) => memoryShare(agent),
      ({ agent }) => percent(memoryShare(agent)),
    ),
    {
      ...numeric(
        'disk free',
        ({ agent }) => agent.machineFigures?.diskFreeBytes,
        ({ agent }) => gibibytes(agent.machineFigures?.diskFreeBytes),
      ),
      descending: false,
    },
    { header: 'GPUs', cell: ({ agent }) => gpusText(agent.gpus), key: ({ agent }) => gpusText(agent.gpus) },
    { header: 'backend', cell: ({ agent }) => agent.backend || '-', key: ({ agent }) => agent.backend },
    numeric(
      'pack',
      ({ agent }) => agent.pack,
      ({ agent }) => (agent.pack > 1 ? `×${agent.pack}` : '-'),
    ),
    { header: 'host', elide: 'common', cell: ({ agent }) => agent.host, key: ({ agent }) => agent.host },
    { header: 'version', cell: ({ agent }) => agent.version, key: ({ agent }) => agent.version },
    { header: 'reason', cell: ({ agent }) => agentReason(agent), key: ({ agent }) => agentReason(agent) },
  ];
}

function numeric(header: string, key: AgentColumn['key'], cell: AgentColumn['cell']): AgentColumn {
  return { header, numeric: true, key, cell, descending: true };
}

const seenText =
  (now: number) =>
  ({ agent: { lastHeartbeatMs: at } }: AgentRow): string =>
    at === 0 ? '-' : `${formatSpan(now - at)} ago`;

const rateText = (rate: number): string => (rate >= 100 ? String(Math.round(rate)) : rate.toFixed(1));

const GIB = 2 ** 30;

const gibibytes = (bytes: number | undefined): string =>
  bytes === undefined ? '-' : `${(bytes / GIB).toFixed(0)} GiB`;

function memoryShare({ machineFigures }: Agent): number | undefined {
  const { memoryUsedBytes: used, memoryTotalBytes: total } = machineFigures ?? {};
  return used === undefined || total === undefined || total === 0 ? undefined : used / total;
}

function gpusText(gpus: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of gpus) counts.set(name, (counts.get(name) ?? 0) + 1);
  const texts = [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`));
  return texts.join(', ') || '-';
}

function gpuUtilization({ gpuFigures }: Agent): number | undefined {
  const known = gpuFigures.flatMap(({ utilization }) => (utilization === undefined ? [] : [utilization]));
  return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length;
}
