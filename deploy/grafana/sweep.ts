/** One sweep, chosen at the top: how far it is, how good, what fails, and when it will be done. */
import {
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { framed } from './frame.ts';
import { DATASOURCE, figure, graph, type Queries } from './panels.ts';

const OF_SWEEP = 'sweep="$sweep"';
const ENDED = 'state=~"succeeded|stopped|failed|cancelled"';

const choice = new QueryVariableBuilder('sweep')
  .label('Sweep')
  .datasource(DATASOURCE)
  .query({ query: 'query_result(trawl_sweep_info)', refId: 'sweep' })
  // By its name; the series are by its id.
  .regex('/name="(?<text>[^"]+)".*sweep="(?<value>[^"]+)"/')
  .refresh(VariableRefresh.OnTimeRangeChanged)
  .sort(VariableSort.NumericalDesc);

/** Median and the slowest hundredth of a histogram of seconds. */
function quantiles(family: string): Queries {
  const rates = `sum by (le) (rate(${family}_bucket{${OF_SWEEP}}[$__rate_interval]))`;
  return {
    median: `histogram_quantile(0.5, ${rates})`,
    '99th percentile': `histogram_quantile(0.99, ${rates})`,
  };
}

export const sweep = () =>
  framed('trawl-sweep', 'trawl: sweep', 'One sweep: progress, results, failures, time left.', OF_SWEEP)
    .withVariable(choice)
    .withRow(new RowBuilder('Now'))
    .withPanel(
      figure(
        { title: 'Done', about: 'Trials that came to their end, whichever.', unit: 'percentunit' },
        `sum(trawl_trials{${OF_SWEEP}, ${ENDED}}) / sum(trawl_trials_expected{${OF_SWEEP}})`,
      ),
    )
    .withPanel(
      figure(
        {
          title: 'Time left',
          about: 'At the pace of the last ten minutes; nothing while there is no pace.',
          unit: 's',
        },
        `trawl_eta_seconds{${OF_SWEEP}}`,
      ),
    )
    .withPanel(
      figure(
        { title: 'Best', about: "Of the sweep's own metric.", unit: 'short' },
        `trawl_best_metric{${OF_SWEEP}} * on (sweep, metric) group_left () trawl_sweep_info`,
      ),
    )
    .withPanel(
      figure(
        { title: 'Running', about: 'Trials that run now.', unit: 'short' },
        `trawl_trials{${OF_SWEEP}, state="running"}`,
      ),
    )
    .withPanel(
      figure(
        { title: 'Failed', about: 'Trials that failed for good.', unit: 'short' },
        `trawl_trials{${OF_SWEEP}, state="failed"}`,
      ),
    )
    .withPanel(
      figure(
        {
          title: 'GPU hours',
          about: 'For which its attempts held GPUs, since the coordinator started.',
          unit: 'short',
        },
        `trawl_gpu_seconds_total{${OF_SWEEP}} / 3600`,
      ),
    )
    .withRow(new RowBuilder('Progress'))
    .withPanel(
      graph({ title: 'Trials', about: 'By state.', unit: 'short' }, { '{{state}}': `trawl_trials{${OF_SWEEP}}` }, true),
    )
    .withPanel(
      graph(
        { title: 'Trials a minute', about: 'That came to their end.', unit: 'short' },
        { '{{outcome}}': `60 * rate(trawl_trials_finished_total{${OF_SWEEP}}[$__rate_interval])` },
        true,
      ),
    )
    .withPanel(
      graph(
        { title: 'Time left', about: 'As it was reckoned then.', unit: 's' },
        { 'time left': `trawl_eta_seconds{${OF_SWEEP}}` },
      ),
    )
    .withPanel(
      graph(
        { title: 'Silence', about: 'Since the newest report, and since the best one.', unit: 's' },
        {
          'last report': `time() - trawl_last_report_timestamp_seconds{${OF_SWEEP}}`,
          'last improvement': `time() - trawl_last_improvement_timestamp_seconds{${OF_SWEEP}}`,
        },
      ),
    )
    .withRow(new RowBuilder('Results'))
    .withPanel(
      graph(
        { title: 'Best loss', about: 'Least value of each loss so far.', unit: 'short' },
        { '{{metric}}': `trawl_best_metric{${OF_SWEEP}, metric=~".*loss.*"}` },
      ),
    )
    .withPanel(
      graph(
        { title: 'Best PSNR', about: 'Greatest value so far.', unit: 'dB' },
        { '{{metric}}': `trawl_best_metric{${OF_SWEEP}, metric=~"psnr.*"}` },
      ),
    )
    .withRow(new RowBuilder('Failures'))
    .withPanel(
      graph(
        { title: 'Failures by class', about: 'Attempts that failed; a trial may be tried again.', unit: 'short' },
        { '{{class}}': `increase(trawl_trial_failures_total{${OF_SWEEP}}[$__rate_interval])` },
        true,
      ),
    )
    .withPanel(
      graph(
        { title: 'Retries by class', about: 'Failed attempts whose trial is tried again.', unit: 'short' },
        { '{{class}}': `increase(trawl_trial_retries_total{${OF_SWEEP}}[$__rate_interval])` },
        true,
      ),
    )
    .withRow(new RowBuilder('Times'))
    .withPanel(
      graph(
        { title: 'An epoch', about: 'From one report to the next.', unit: 's', width: 8 },
        quantiles('trawl_epoch_duration_seconds'),
      ),
    )
    .withPanel(
      graph(
        { title: 'An attempt', about: 'From grant to end.', unit: 's', width: 8 },
        quantiles('trawl_trial_duration_seconds'),
      ),
    )
    .withPanel(
      graph(
        {
          title: 'In the queue',
          about: 'From submit, or from the return to the queue, to the grant.',
          unit: 's',
          width: 8,
        },
        quantiles('trawl_trial_queue_wait_seconds'),
      ),
    );
