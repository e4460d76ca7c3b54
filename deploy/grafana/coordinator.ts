/** The coordinator from the inside: its store, scheduler, transports and process. */
import { RowBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { framed } from './frame.ts';
import { figure, graph, type Queries } from './panels.ts';

const PROCESS = '{job="trawl-coordinator"}';

function quantiles(family: string): Queries {
  const rates = `sum by (le) (rate(${family}_bucket[$__rate_interval]))`;
  return {
    median: `histogram_quantile(0.5, ${rates})`,
    '99th percentile': `histogram_quantile(0.99, ${rates})`,
  };
}

const perSecond = (counter: string) => `sum(rate(${counter}[$__rate_interval]))`;

export const coordinator = () =>
  framed('trawl-coordinator', 'trawl: coordinator', 'Store, scheduler, gRPC, NATS and process of the coordinator.')
    .withRow(new RowBuilder('Now'))
    .withPanel(figure({ title: 'Up', about: '1 while it answers.', unit: 'short' }, `up${PROCESS}`))
    .withPanel(
      figure({ title: 'Since its start', about: '', unit: 's' }, `time() - trawl_start_time_seconds${PROCESS}`),
    )
    .withPanel(
      figure(
        { title: 'Grants a second', about: 'Leases of trials.', unit: 'short' },
        perSecond('trawl_dispatch_latency_seconds_count'),
      ),
    )
    .withPanel(
      figure(
        { title: 'Reports a second', about: 'Made durable.', unit: 'short' },
        perSecond('trawl_reports_ingested_total'),
      ),
    )
    .withPanel(figure({ title: 'Offers', about: 'That stand.', unit: 'short' }, 'sum(trawl_offers_outstanding)'))
    .withPanel(
      figure(
        { title: 'Disk free', about: "Of the coordinator's folder.", unit: 'percentunit' },
        'trawl_disk_free_bytes / trawl_disk_size_bytes',
      ),
    )
    .withRow(new RowBuilder('Work'))
    .withPanel(
      graph(
        { title: 'Offer to grant', about: 'How long offers wait for an agent.', unit: 's' },
        quantiles('trawl_dispatch_latency_seconds'),
      ),
    )
    .withPanel(
      graph(
        { title: 'One commit', about: 'A transaction of the store, its flush included.', unit: 's' },
        quantiles('trawl_store_commit_seconds'),
      ),
    )
    .withPanel(
      graph(
        { title: 'One pass of the scheduler', about: 'Filling the window of offers.', unit: 's' },
        quantiles('trawl_scheduler_pass_seconds'),
      ),
    )
    .withPanel(
      graph(
        { title: 'A second', about: 'What goes through.', unit: 'ops' },
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
          title: 'Age of reports',
          about: 'The oldest made durable since the last scrape; what was spooled is old.',
          unit: 's',
        },
        { oldest: 'max(trawl_reports_lag_seconds)' },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Refused and lost',
          about: 'Records of attempts without a lease; attempts lost with their agent.',
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
        { title: 'Calls a second', about: 'That ended, by method.', unit: 'ops' },
        { '{{grpc_method}}': 'sum by (grpc_method) (rate(trawl_grpc_server_handled_total[$__rate_interval]))' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Calls by status', about: 'Everything but OK is worth a look.', unit: 'ops' },
        { '{{grpc_code}}': 'sum by (grpc_code) (rate(trawl_grpc_server_handled_total[$__rate_interval]))' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Slowest calls', about: '99th percentile of the calls that are answered once.', unit: 's', width: 24 },
        {
          '{{grpc_method}}':
            'histogram_quantile(0.99, sum by (grpc_method, le) (rate(trawl_grpc_server_handling_seconds_bucket{grpc_method!~"Report|Watch|ReadLog|Put|ServerReflectionInfo"}[$__rate_interval])))',
        },
      ),
    )
    .withRow(new RowBuilder('NATS'))
    .withPanel(
      graph(
        { title: 'Stream of offers', about: 'Messages in it, and how many it may hold.', unit: 'short' },
        { messages: 'trawl_nats_stream_messages', limit: 'trawl_nats_stream_limit_messages' },
      ),
    )
    .withPanel(
      graph(
        { title: 'Reconnects', about: 'Times that the connection to NATS came back.', unit: 'short' },
        { '{{component}} {{instance}}': 'increase(trawl_nats_reconnects_total[$__rate_interval])' },
      ),
    )
    .withRow(new RowBuilder('Process'))
    .withPanel(
      graph(
        { title: 'CPU', about: 'Cores in use.', unit: 'short', width: 8 },
        { cores: `rate(process_cpu_seconds_total${PROCESS}[$__rate_interval])` },
      ),
    )
    .withPanel(
      graph(
        { title: 'Memory', about: '', unit: 'bytes', width: 8 },
        {
          resident: `process_resident_memory_bytes${PROCESS}`,
          'heap in use': `nodejs_heap_size_used_bytes${PROCESS}`,
        },
      ),
    )
    .withPanel(
      graph(
        { title: "Event loop's lag", about: '99th percentile since the last scrape.', unit: 's', width: 8 },
        { lag: `nodejs_eventloop_lag_p99_seconds${PROCESS}` },
      ),
    )
    .withPanel(
      graph(
        { title: 'Series', about: 'That each process has.', unit: 'short' },
        { '{{instance}}': 'scrape_samples_scraped{job=~"trawl-.*"}' },
      ),
    )
    .withPanel(
      graph(
        { title: 'A scrape', about: 'How long each takes.', unit: 's' },
        { '{{instance}}': 'scrape_duration_seconds{job=~"trawl-.*"}' },
      ),
    );
