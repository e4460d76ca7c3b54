/** The kinds of panels that the dashboards use, with a common style. */
import {
  BigValueColorMode,
  BigValueGraphMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatPanel } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TablePanel } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as GraphPanel } from '@grafana/grafana-foundation-sdk/timeseries';

/** The data source that the user selects at the top of each dashboard. */
export const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

export interface PanelOptions {
  readonly title: string;
  /** The description that the user sees. */
  readonly about: string;
  /** Grafana's name of the unit: `s`, `bytes`, `percentunit`, `short`. */
  readonly unit: string;
  /** The width in Grafana's 24 columns. */
  readonly width?: number;
}

/** PromQL queries, keyed by legend. A legend can contain `{{label}}`. */
export type PanelQueries = Readonly<Record<string, string>>;

const REF_IDS = 'ABCDEFGH';

/** Returns a panel with lines over time, which are stacked if `stacked` is set. */
export function graph(
  { title, about, unit, width = 12 }: PanelOptions,
  queries: PanelQueries,
  stacked = false,
): GraphPanel {
  const panel = new GraphPanel()
    .title(title)
    .description(about)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(8)
    .lineWidth(1)
    .fillOpacity(stacked ? 60 : 10)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.List)
        .placement(LegendPlacement.Bottom)
        .showLegend(true),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi))
    .targets(targetsOf(queries));
  return stacked ? panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal)) : panel;
}

/** Returns a panel that shows the newest value. */
export function statPanel({ title, about, unit, width = 4 }: PanelOptions, expr: string): StatPanel {
  return new StatPanel()
    .title(title)
    .description(about)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(4)
    .graphMode(BigValueGraphMode.Area)
    .colorMode(BigValueColorMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .targets(targetsOf({ '': expr }));
}

/** Returns a table with one row per series. */
export function table({ title, about, unit, width = 24 }: PanelOptions, expr: string): TablePanel {
  return new TablePanel()
    .title(title)
    .description(about)
    .datasource(DATASOURCE)
    .unit(unit)
    .span(width)
    .height(8)
    .targets([
      new DataqueryBuilder().datasource(DATASOURCE).refId('A').expr(expr).instant().format(PromQueryFormat.Table),
    ]);
}

function targetsOf(queries: PanelQueries): DataqueryBuilder[] {
  return Object.entries(queries).map(([legend, expr], at) =>
    new DataqueryBuilder()
      .datasource(DATASOURCE)
      .refId(REF_IDS[at] ?? 'Z')
      .expr(expr)
      .legendFormat(legend)
      .range(),
  );
}
