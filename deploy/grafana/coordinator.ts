/** The dashboard of the coordinator: store, scheduler, transports and process. */
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardFrame } from './frame.ts';
import { graph, type PanelQueries, statPanel } from './panels.ts';

const PROCESS = '{job="trawl-coordinator"}';

function quantiles(family: string): PanelQueries {
  const rates = `sum by (le) (rate(${family}_bucket[$__rate_interval]))`;
  return {
    median: `histogram_quantile(0.5, ${rates})`,
    '99th percentile': `histogram_quantile(0.99, ${rates})`,
  };
}

const perSecond = (counter: string) => `sum(rate(${counter}[$__rate_interval]))`;

export const coordinator = () =>
  dashboardFrame(
    'trawl-coordinator',
    'trawl: coordinator',
    'Store, scheduler, gRPC, NATS and process of the coordinator.',
  )
    .withRow(new RowBuilder('Now'))
    .withPanel(
      statPanel(
        { title: 'Up', about: 'Number of coordinators that answer, including those that stand by.', unit: 'short' },
        `sum(up${PROCESS})`,
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Uptime', about: 'Time since the process started.', unit: 's' },
        `time() - trawl_start_time_seconds${PROCESS}`,
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Grants per second', about: 'Leases granted for trials.', unit: 'short' },
        perSecond('trawl_dispatch_latency_seconds_count'),
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Reports per second', about: 'Reports committed to the store.', unit: 'short' },
        perSecond('trawl_reports_ingested_total'),
      ),
    )
    .withPanel(statPanel({ title: 'Offers', about: 'Current offers.', unit: 'short' }, 'sum(trawl_offers_outstanding)'))
    .withPanel(
      statPanel(
        { title: 'Disk free', about: "Free share of the disk with the coordinator's folder.", unit: 'percentunit' },
        'trawl_disk_free_bytes / trawl_disk_size_bytes',
      ),
    )
    .withRow(new RowBuilder('Leadership'))
    .withPanel(
      graph(
        {
          title: 'Leading coordinator',
          about: '1 if the coordinator leads, 0 if it stands by. With the embedded store, a coordinator always leads.',
          unit: 'short',
        },
        { '{{instance}}': 'trawl_coordinator_leading' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Takeovers', about: 'Number of changes of the leader.', unit: 'short' },
        { takeovers: 'max(changes(trawl_leader_epoch[$__rate_interval]))' },
      ),
    )
    .withRow(new RowBuilder('Work'))
    .withPanel(
      graph(
        { title: 'Dispatch latency', about: 'Time from an offer to its grant.', unit: 's' },
        quantiles('trawl_dispatch_latency_seconds'),
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Commit duration',
          about: 'Duration of one transaction of the store, including the flush.',
          unit: 's',
        },
        quantiles('trawl_store_commit_seconds'),
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Scheduler pass duration',
          about: 'Duration of one scheduler pass, which decides which trials are offered.',
          unit: 's',
        },
        quantiles('trawl_scheduler_pass_seconds'),
      ),
    )
    .withPanel(
      graph(
        { title: 'Throughput', about: 'Operations per second.', unit: 'ops' },
        {
          reports: perSecond('trawl_reports_ingested_total'),
          grants: perSecond('trawl_dispatch_latency_seconds_count'),
          commits: perSecond('trawl_store_commit_seconds_count'),
          'scheduler passes': perSecond('trawl_scheduler_pass_seconds_count'),
        },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Report lag',
          about: 'Age of the oldest report committed since the last scrape. High if agents send spooled reports.',
          unit: 's',
        },
        { oldest: 'max(trawl_reports_lag_seconds)' },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Rejected records and lost attempts',
          about:
            'Records rejected because their agent does not hold the lease or because earlier records are missing, and attempts that failed with the class lost.',
          unit: 'short',
        },
        {
          'superseded reports': 'sum(increase(trawl_superseded_reports_total[$__rate_interval]))',
          'lost attempts': 'sum(increase(trawl_lease_expirations_total[$__rate_interval]))',
        },
      ),
    )
    .withRow(new RowBuilder('Calls'))
    .withPanel(
      graph(
        { title: 'Calls per second', about: 'Completed calls by method.', unit: 'ops' },
        { '{{grpc_method}}': 'sum by (grpc_method) (rate(trawl_grpc_server_handled_total[$__rate_interval]))' },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Calls by status',
          about: 'Completed calls by gRPC status. A status other than OK can indicate a problem.',
          unit: 'ops',
        },
        { '{{grpc_code}}': 'sum by (grpc_code) (rate(trawl_grpc_server_handled_total[$__rate_interval]))' },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Slowest calls',
          about: '99th percentile of the duration of calls. Long streams are not included.',
          unit: 's',
          width: 24,
        },
        {
          '{{grpc_method}}':
            'histogram_quantile(0.99, sum by (grpc_method, le) (rate(trawl_grpc_server_handling_seconds_bucket[$__rate_interval])))',
        },
      ),
    )
    .withRow(new RowBuilder('NATS'))
    .withPanel(
      graph(
        { title: 'Stream of offers', about: 'Number of messages in the stream, and its limit.', unit: 'short' },
        { messages: 'trawl_nats_stream_messages', limit: 'trawl_nats_stream_limit_messages' },
      ),
    )
    .withPanel(
      graph(
        { title: 'NATS reconnects', about: 'Number of reconnects to NATS.', unit: 'short' },
        { '{{component}} {{instance}}': 'increase(trawl_nats_reconnects_total[$__rate_interval])' },
      ),
    )
    .withRow(new RowBuilder('Process'))
    .withPanel(
      graph(
        { title: 'CPU', about: 'Number of cores used.', unit: 'short', width: 8 },
        { '{{instance}}': `rate(process_cpu_seconds_total${PROCESS}[$__rate_interval])` },
      ),
    )
    .withPanel(
      graph(
        { title: 'Memory', about: 'Memory of the process.', unit: 'bytes', width: 8 },
        {
          'resident {{instance}}': `process_resident_memory_bytes${PROCESS}`,
          'heap in use {{instance}}': `nodejs_heap_size_used_bytes${PROCESS}`,
        },
      ),
    )
    .withPanel(
      graph(
        { title: 'Event loop lag', about: '99th percentile since the last scrape.', unit: 's', width: 8 },
        { '{{instance}}': `nodejs_eventloop_lag_p99_seconds${PROCESS}` },
      ),
    )
    .withPanel(
      graph(
        { title: 'Series', about: 'Number of time series that each process exposes.', unit: 'short' },
        { '{{instance}}': 'scrape_samples_scraped{job=~"trawl-.*"}' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Scrape duration', about: 'Duration of a scrape of each process.', unit: 's' },
        { '{{instance}}': 'scrape_duration_seconds{job=~"trawl-.*"}' },
      ),
    );
