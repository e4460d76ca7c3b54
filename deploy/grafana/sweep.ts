/** The dashboard of one sweep: progress, results, failures and remaining time. The user selects the sweep. */
import {
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboardFrame } from './frame.ts';
import { DATASOURCE, graph, type PanelQueries, statPanel } from './panels.ts';

const OF_SWEEP = 'sweep="$sweep"';
const ENDED = 'state=~"succeeded|stopped|failed|cancelled"';

const choice = new QueryVariableBuilder('sweep')
  .label('Sweep')
  .datasource(DATASOURCE)
  .query({ query: 'query_result(trawl_sweep_info)', refId: 'sweep' })
  .regex('/name="(?<text>[^"]+)".*sweep="(?<value>[^"]+)"/')
  .refresh(VariableRefresh.OnTimeRangeChanged)
  .sort(VariableSort.NumericalDesc);

function quantiles(family: string): PanelQueries {
  const rates = `sum by (le) (rate(${family}_bucket{${OF_SWEEP}}[$__rate_interval]))`;
  return {
    median: `histogram_quantile(0.5, ${rates})`,
    '99th percentile': `histogram_quantile(0.99, ${rates})`,
  };
}

export const sweep = () =>
  dashboardFrame(
    'trawl-sweep',
    'trawl: sweep',
    'Progress, results, failures and remaining time of one sweep.',
    OF_SWEEP,
  )
    .withVariable(choice)
    .withRow(new RowBuilder('Now'))
    .withPanel(
      statPanel(
        {
          title: 'Done',
          about: 'Share of the expected trials that have succeeded or failed, or were stopped or cancelled.',
          unit: 'percentunit',
        },
        `sum(trawl_trials{${OF_SWEEP}, ${ENDED}}) / sum(trawl_trials_expected{${OF_SWEEP}})`,
      ),
    )
    .withPanel(
      statPanel(
        {
          title: 'Time remaining',
          about: 'Estimated time until the last trial ends, as in trawl show.',
          unit: 's',
        },
        `trawl_eta_seconds{${OF_SWEEP}}`,
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Best value', about: 'Best value of the metric of the sweep.', unit: 'short' },
        `trawl_best_metric{${OF_SWEEP}} * on (sweep, metric) group_left () trawl_sweep_info`,
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Running', about: 'Running trials.', unit: 'short' },
        `trawl_trials{${OF_SWEEP}, state="running"}`,
      ),
    )
    .withPanel(
      statPanel(
        { title: 'Failed', about: 'Trials that failed and are not retried.', unit: 'short' },
        `trawl_trials{${OF_SWEEP}, state="failed"}`,
      ),
    )
    .withPanel(
      statPanel(
        {
          title: 'GPU hours',
          about: 'GPU time of all attempts of the sweep.',
          unit: 'short',
        },
        `trawl_gpu_seconds_total{${OF_SWEEP}} / 3600`,
      ),
    )
    .withRow(new RowBuilder('Progress'))
    .withPanel(
      graph(
        { title: 'Trials', about: 'Trials by state.', unit: 'short' },
        { '{{state}}': `trawl_trials{${OF_SWEEP}}` },
        true,
      ),
    )
    .withPanel(
      graph(
        { title: 'Trials per minute', about: 'Trials that ended, by outcome.', unit: 'short' },
        { '{{outcome}}': `60 * rate(trawl_trials_finished_total{${OF_SWEEP}}[$__rate_interval])` },
        true,
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Estimated time remaining',
          about: 'Estimated time remaining, over the course of the sweep.',
          unit: 's',
        },
        { 'time remaining': `trawl_eta_seconds{${OF_SWEEP}}` },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Time since last report',
          about: 'Time since the newest report, and since the last improvement.',
          unit: 's',
        },
        {
          'last report': `time() - trawl_last_report_timestamp_seconds{${OF_SWEEP}}`,
          'last improvement': `time() - trawl_last_improvement_timestamp_seconds{${OF_SWEEP}}`,
        },
      ),
    )
    .withRow(new RowBuilder('Results'))
    .withPanel(
      graph(
        { title: 'Best loss', about: 'Lowest value of each loss so far.', unit: 'short' },
        { '{{metric}}': `trawl_best_metric{${OF_SWEEP}, metric=~".*loss.*"}` },
      ),
    )
    .withPanel(
      graph(
        { title: 'Best PSNR', about: 'Highest value so far.', unit: 'dB' },
        { '{{metric}}': `trawl_best_metric{${OF_SWEEP}, metric=~"psnr.*"}` },
      ),
    )
    .withRow(new RowBuilder('Early stopping'))
    .withPanel(
      graph(
        {
          title: 'Early stops by rule',
          about: 'Trials that the early-stopping rule stopped. No data for a sweep without a rule.',
          unit: 'short',
        },
        { '{{rule}}': `trawl_early_stops_total{${OF_SWEEP}}` },
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Epochs saved',
          about:
            'Epochs that were not run because their trials were stopped early. No data for a sweep without a rule.',
          unit: 'short',
        },
        { 'epochs saved': `trawl_saved_epochs_total{${OF_SWEEP}}` },
      ),
    )
    .withRow(new RowBuilder('Failures'))
    .withPanel(
      graph(
        {
          title: 'Failures by class',
          about: 'Attempts that failed, whether or not their trials were retried.',
          unit: 'short',
        },
        { '{{class}}': `increase(trawl_trial_failures_total{${OF_SWEEP}}[$__rate_interval])` },
        true,
      ),
    )
    .withPanel(
      graph(
        { title: 'Retries by class', about: 'Failed attempts whose trial is retried.', unit: 'short' },
        { '{{class}}': `increase(trawl_trial_retries_total{${OF_SWEEP}}[$__rate_interval])` },
        true,
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Stragglers',
          about: 'Attempts that run much longer than expected: current number (running) and new stragglers (found).',
          unit: 'short',
        },
        {
          running: `trawl_stragglers{${OF_SWEEP}}`,
          found: `increase(trawl_stragglers_found_total{${OF_SWEEP}}[$__rate_interval])`,
        },
      ),
    )
    .withRow(new RowBuilder('Times'))
    .withPanel(
      graph(
        { title: 'Epoch duration', about: 'Time between two reports.', unit: 's', width: 8 },
        quantiles('trawl_epoch_duration_seconds'),
      ),
    )
    .withPanel(
      graph(
        { title: 'Attempt duration', about: 'Time from the start of an attempt to its end.', unit: 's', width: 8 },
        quantiles('trawl_trial_duration_seconds'),
      ),
    )
    .withPanel(
      graph(
        {
          title: 'Queue wait',
          about:
            "Time from the submission of a trial's sweep, or from the trial's return to the queue, until its grant.",
          unit: 's',
          width: 8,
        },
        quantiles('trawl_trial_queue_wait_seconds'),
      ),
    );
