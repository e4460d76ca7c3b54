/** The kinds of panel that trawl's dashboards are made of, so that all of them look alike. */
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

/** Chosen at the top of each dashboard. */
export const DATASOURCE = { type: 'prometheus', uid: '$datasource' };

export interface Look {
  readonly title: string;
  /** What a person should know to read it. */
  readonly about: string;
  /** Grafana's name: `s`, `bytes`, `percentunit`, `short`. */
  readonly unit: string;
  /** Of 24 columns. */
  readonly width?: number;
}

/** PromQL by legend, which may hold `{{label}}`. */
export type Queries = Readonly<Record<string, string>>;

const REF_IDS = 'ABCDEFGH';

/** Lines over time; `stacked` where they add up. */
export function graph({ title, about, unit, width = 12 }: Look, queries: Queries, stacked = false): GraphPanel {
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

/** The newest value, large. */
export function figure({ title, about, unit, width = 4 }: Look, expr: string): StatPanel {
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

/** One row for each series of the query. */
export function table({ title, about, unit, width = 24 }: Look, expr: string): TablePanel {
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

function targetsOf(queries: Queries): DataqueryBuilder[] {
  return Object.entries(queries).map(([legend, expr], at) =>
    new DataqueryBuilder()
      .datasource(DATASOURCE)
      .refId(REF_IDS[at] ?? 'Z')
      .expr(expr)
      .legendFormat(legend)
      .range(),
  );
}
