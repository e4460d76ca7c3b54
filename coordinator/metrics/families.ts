/** The coordinator's Prometheus families. Names and labels are a promise to people's dashboards (README, "Metrics"). */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export type CoordinatorMetrics = ReturnType<typeof coordinatorMetrics>;

const SECONDS_FAST = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
const SECONDS_SLOW = [0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600];

export function coordinatorMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const gauge = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Gauge<L>({ name: `trawl_${name}`, help, labelNames: [...labelNames], registers });
  const counter = <L extends string = never>(name: string, help: string, labelNames: readonly L[] = []) =>
    new Counter<L>({ name: `trawl_${name}`, help, labelNames: [...labelNames], registers });
  const histogram = <L extends string = never>(
    name: string,
    help: string,
    buckets: number[],
    labelNames: readonly L[] = [],
  ) => new Histogram<L>({ name: `trawl_${name}`, help, buckets, labelNames: [...labelNames], registers });

  return {
    registry,
    buildInfo: gauge('build_info', 'Always 1; says which trawl runs.', ['version']),
    startTime: gauge('start_time_seconds', 'Unix time at which the coordinator started.'),
    sweeps: gauge('sweeps', 'Sweeps that are not over, by state.', ['state']),
    sweepInfo: gauge('sweep_info', 'Always 1; says what a sweep is.', ['sweep', 'name', 'method', 'metric']),
    trials: gauge('trials', 'Trials of a sweep, by state.', ['sweep', 'state']),
    trialsExpected: gauge('trials_expected', 'Trials that the sweep has in all.', ['sweep']),
    trialsExcluded: gauge('trials_excluded', "Grid points that the sweep's rules drop.", ['sweep']),
    trialsFinished: counter('trials_finished_total', 'Trials that came to their end.', ['sweep', 'outcome']),
    trialFailures: counter('trial_failures_total', 'Attempts that failed.', ['sweep', 'class']),
    trialRetries: counter('trial_retries_total', 'Failed attempts whose trial is tried again.', ['sweep', 'class']),
    trialDuration: histogram('trial_duration_seconds', 'From grant to the end of an attempt.', SECONDS_SLOW, ['sweep']),
    bestMetric: gauge('best_metric', 'Best value reported so far.', ['sweep', 'metric']),
    lastReport: gauge('last_report_timestamp_seconds', 'Unix time of the newest report.', ['sweep']),
    supersededReports: counter('superseded_reports_total', 'Records refused because their attempt holds no lease.'),
    leaseExpirations: counter(
      'lease_expirations_total',
      'Attempts lost with their agent: it fell silent, was restarted or shut down.',
    ),
    agents: gauge('agents', 'Agents by state.', ['state']),
    agentInfo: gauge('agent_info', 'Always 1; says what an agent is.', [
      'agent',
      'host',
      'gpu_model',
      'backend',
      'version',
    ]),
    agentSlots: gauge('agent_slots', "An agent's slots, by state.", ['agent', 'state']),
    agentHeartbeat: gauge('agent_last_heartbeat_timestamp_seconds', 'Unix time at which the agent was last heard.', [
      'agent',
    ]),
    dispatchLatency: histogram('dispatch_latency_seconds', 'From an offer to its grant.', SECONDS_FAST),
    storeCommit: histogram('store_commit_seconds', 'One transaction of the store, its flush included.', SECONDS_FAST),
    schedulerPass: histogram('scheduler_pass_seconds', 'One pass of the scheduler.', SECONDS_FAST),
    reportsIngested: counter('reports_ingested_total', 'Reports of epochs made durable.'),
    offersOutstanding: gauge('offers_outstanding', 'Offers that stand.'),
    authRefused: counter('auth_refused_total', 'Connections, calls and messages refused for who sent them.', [
      'reason',
    ]),
    natsReconnects: counter('nats_reconnects_total', 'Times that the connection to NATS came back.', ['component']),
  };
}
