/**
 * Declares the coordinator's Prometheus metric families. The names and labels of the families are stable
 * (docs/metrics.md).
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { addProcessMetrics } from '../../lib/net/http.ts';

export type CoordinatorMetrics = ReturnType<typeof coordinatorMetrics>;

const SECONDS_FAST = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];
/**
 * The buckets for the time from an offer to its grant. An offer is claimed immediately if a slot is free. Otherwise, it
 * can wait for the duration of a trial.
 */
const SECONDS_OFFER = [0.001, 0.005, 0.025, 0.1, 0.5, 1, 5, 30, 120, 600, 3600];
/**
 * The buckets of the histograms that are labeled by sweep or by gRPC method. There are few buckets, because each sweep
 * or method has a series for each bucket.
 */
const SECONDS_EPOCH = [1, 15, 60, 300, 1800, 2 * 3600];
const SECONDS_TRIAL = [10, 60, 600, 3600, 24 * 3600];
const SECONDS_WAIT = [10, 300, 3600];
const SECONDS_CALL = [0.01, 0.1, 1];

const LEADING_HELP = 'Whether this coordinator leads (1) or stands by (0).';
const LEADER_EPOCH_HELP = 'The epoch of the current leader; 0 if the store has no leadership.';

/** Declares the metric families of a coordinator that stands by. */
export function standbyMetrics(version: string) {
  const registry = new Registry();
  const registers = [registry];
  addProcessMetrics(registry);
  const leading = new Gauge({ name: 'trawl_coordinator_leading', help: LEADING_HELP, registers });
  leading.set(0);
  const info = { name: 'trawl_build_info', help: 'Always 1; the label is the version of trawl.', registers };
  new Gauge({ ...info, labelNames: ['version'] }).set({ version }, 1);
  return {
    registry,
    leaderEpoch: new Gauge({ name: 'trawl_leader_epoch', help: LEADER_EPOCH_HELP, registers }),
    authRejected: new Counter({
      name: 'trawl_auth_rejected_total',
      help: 'Connections, calls and messages rejected because of their sender.',
      labelNames: ['reason'],
      registers,
    }),
  };
}

export function coordinatorMetrics() {
  const registry = new Registry();
  const registers = [registry];
  addProcessMetrics(registry);
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

  const sweepFamilies = {
    sweepInfo: gauge('sweep_info', 'Always 1; the labels describe a sweep.', ['sweep', 'name', 'method', 'metric']),
    sweepStart: gauge('sweep_start_timestamp_seconds', 'Unix time at which the sweep was submitted.', ['sweep']),
    sweepEnd: gauge('sweep_end_timestamp_seconds', 'Unix time at which the sweep ended.', ['sweep']),
    trials: gauge('trials', 'Trials of a sweep, by state.', ['sweep', 'state']),
    trialsExpected: gauge(
      'trials_expected',
      'Total trials of the sweep, including trials that are not created yet. If the search has no limit, only trials created so far.',
      ['sweep'],
    ),
    trialsExcluded: gauge('trials_excluded', 'Grid points that the exclude rules of the sweep dropped.', ['sweep']),
    trialsFinished: counter('trials_finished_total', 'Trials that ended.', ['sweep', 'outcome']),
    trialFailures: counter('trial_failures_total', 'Attempts that failed.', ['sweep', 'class']),
    trialRetries: counter('trial_retries_total', 'Failed attempts whose trial was retried.', ['sweep', 'class']),
    trialDuration: histogram('trial_duration_seconds', 'Time from the start of an attempt to its end.', SECONDS_TRIAL, [
      'sweep',
    ]),
    queueWait: histogram(
      'trial_queue_wait_seconds',
      "Time from the submission of a trial's sweep, or from the trial's return to the queue, until its grant.",
      SECONDS_WAIT,
      ['sweep'],
    ),
    epochDuration: histogram(
      'epoch_duration_seconds',
      'Time per epoch, from one report of an attempt to the next; before the first report, from the start of the attempt.',
      SECONDS_EPOCH,
      ['sweep'],
    ),
    bestMetric: gauge('best_metric', 'Best value reported so far.', ['sweep', 'metric']),
    lastImprovement: gauge(
      'last_improvement_timestamp_seconds',
      'Unix time at which the best value of the ranking metric was reported.',
      ['sweep'],
    ),
    lastReport: gauge('last_report_timestamp_seconds', 'Unix time of the newest report.', ['sweep']),
    eta: gauge('eta_seconds', 'Estimated time until the last trial ends.', ['sweep']),
    gpuSeconds: counter('gpu_seconds_total', "GPU time used by the sweep's attempts.", ['sweep']),
    stragglers: gauge('stragglers', 'Running attempts that take much longer than comparable attempts.', ['sweep']),
    stragglersFound: counter('stragglers_found_total', 'Attempts that became stragglers.', ['sweep']),
    earlyStops: counter('early_stops_total', 'Trials that the early-stopping rule of the sweep stopped.', [
      'sweep',
      'rule',
    ]),
    savedEpochs: counter('saved_epochs_total', 'Epochs that were not run because their trials were stopped early.', [
      'sweep',
    ]),
    sweepWarnings: gauge('sweep_warnings', 'Occurrences of each warning that the sweep shows.', ['sweep', 'kind']),
    trialMetric: gauge('trial_metric', 'The newest value that a trial reported (--trial-metrics).', [
      'sweep',
      'trial',
      'metric',
    ]),
    trialEpoch: gauge('trial_epoch', 'The newest epoch that a trial reported (--trial-metrics).', ['sweep', 'trial']),
  };
  const agentFamilies = {
    agentInfo: gauge('agent_info', 'Always 1; the labels describe an agent.', [
      'agent',
      'host',
      'gpu_model',
      'backend',
      'version',
    ]),
    agentSlots: gauge('agent_slots', "An agent's slots, by state.", ['agent', 'state']),
    agentHeartbeat: gauge(
      'agent_last_heartbeat_timestamp_seconds',
      'Unix time of the last heartbeat or connection of the agent.',
      ['agent'],
    ),
  };

  return {
    registry,
    sweepFamilies,
    agentFamilies,
    ...sweepFamilies,
    ...agentFamilies,
    buildInfo: gauge('build_info', 'Always 1; the label is the version of trawl.', ['version']),
    leading: gauge('coordinator_leading', LEADING_HELP),
    leaderEpoch: gauge('leader_epoch', LEADER_EPOCH_HELP),
    startTime: gauge('start_time_seconds', 'Unix time at which the coordinator started.'),
    sweeps: gauge('sweeps', 'Sweeps that have not ended, by state.', ['state']),
    agents: gauge('agents', 'Agents by state.', ['state']),
    supersededReports: counter(
      'superseded_reports_total',
      'Records rejected because their agent does not hold the lease of the attempt, or because earlier records are missing.',
    ),
    leaseExpirations: counter(
      'lease_expirations_total',
      'Attempts that failed with class lost: their agent was silent, restarted or revoked, or records were missing.',
    ),
    dispatchLatency: histogram('dispatch_latency_seconds', 'Time from an offer to its grant.', SECONDS_OFFER),
    storeCommit: histogram(
      'store_commit_seconds',
      'Duration of a transaction of the store, including its flush to disk.',
      SECONDS_FAST,
    ),
    schedulerPass: histogram('scheduler_pass_seconds', 'Duration of a pass of the scheduler.', SECONDS_FAST),
    reportsIngested: counter('reports_ingested_total', 'Epoch reports stored.'),
    reportsLag: gauge(
      'reports_lag_seconds',
      "Age of the oldest report stored since the last scrape, by its agent's clock; 0 if there was none.",
    ),
    offersOutstanding: gauge('offers_outstanding', 'Outstanding offers, by pool.', ['pool']),
    authRejected: counter('auth_rejected_total', 'Connections, calls and messages rejected because of their sender.', [
      'reason',
    ]),
    unreadable: counter('unreadable_messages_total', 'Messages that were unreadable or too large.', ['via']),
    natsReconnects: counter('nats_reconnects_total', 'Reconnections to NATS.', ['component']),
    natsStreamMessages: gauge('nats_stream_messages', 'Messages in the fullest stream of offers, when last checked.'),
    certificateExpiry: gauge(
      'certificate_expiry_timestamp_seconds',
      "Unix time at which the coordinator's certificate expires.",
    ),
    natsStreamLimit: gauge('nats_stream_limit_messages', 'Maximum number of messages in a stream of offers.'),
    grpcHandled: counter('grpc_server_handled_total', 'Completed calls, by status.', [
      'grpc_service',
      'grpc_method',
      'grpc_code',
    ]),
    grpcHandling: histogram(
      'grpc_server_handling_seconds',
      'Duration of calls, except streams whose duration depends on their client or data.',
      SECONDS_CALL,
      ['grpc_service', 'grpc_method'],
    ),
    artifactStoreRequests: counter(
      'artifact_store_requests_total',
      'Requests to the S3-compatible store of artifacts. The retries of a request are not counted.',
      ['operation', 'outcome'],
    ),
    artifactStoreSeconds: histogram(
      'artifact_store_request_seconds',
      'Duration of a request to the S3-compatible store of artifacts, its retries included.',
      SECONDS_CALL,
    ),
    storeUp: gauge(
      'store_up',
      'Whether the store answers. 0 if a request to PostgreSQL has waited for more than 3 s (see /readyz).',
    ),
    artifactStoreUp: gauge(
      'artifact_store_up',
      'Whether the last request to the S3-compatible store of artifacts succeeded. Absent if artifacts are in the data folder.',
    ),
    diskFree: gauge('disk_free_bytes', "Free bytes on the disk of the coordinator's folder."),
    diskSize: gauge('disk_size_bytes', "Size of the disk of the coordinator's folder."),
  };
}
