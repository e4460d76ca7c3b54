/** Common parts of the dashboards: data source, time range, links, and annotations for the start and end of sweeps. */
import {
  AnnotationQueryBuilder,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DATASOURCE } from './panels.ts';

/**
 * Returns a dashboard without panels.
 * @param sweeps PromQL label matchers that select the sweeps to annotate, such as `sweep="$sweep"`; default: all
 */
export function dashboardFrame(uid: string, title: string, about: string, sweeps = ''): DashboardBuilder {
  return new DashboardBuilder(title)
    .uid(uid)
    .description(about)
    .tags(['trawl'])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .readonly()
    .tooltip(DashboardCursorSync.Crosshair)
    .link(
      new DashboardLinkBuilder('trawl')
        .type(DashboardLinkType.Dashboards)
        .tags(['trawl'])
        .asDropdown(true)
        .keepTime(true),
    )
    .withVariable(new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'))
    .annotation(sweepAnnotation('sweep started', 'green', `trawl_sweep_start_timestamp_seconds{${sweeps}} * 1000`))
    .annotation(sweepAnnotation('sweep ended', 'red', `trawl_sweep_end_timestamp_seconds{${sweeps}} * 1000`));
}

/** @param expr a query whose values are the times of the annotations, in milliseconds */
function sweepAnnotation(name: string, color: string, expr: string): AnnotationQueryBuilder {
  return new AnnotationQueryBuilder()
    .name(name)
    .datasource(DATASOURCE)
    .enable(true)
    .hide(false)
    .iconColor(color)
    .expr(expr)
    .titleFormat(`${name}: {{sweep}}`)
    .useValueForTime(true);
}
