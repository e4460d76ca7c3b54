/** Returns the queries of the dashboards, and fills in Grafana's variables. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard';
import { DASHBOARDS } from '../../deploy/grafana/dashboards.ts';

export interface PanelQuery {
  readonly dashboard: string;
  readonly panel: string;
  readonly legend: string;
  /** The query, which can contain Grafana's variables. */
  readonly expr: string;
}

export function panelQueries(): PanelQuery[] {
  return Object.values(DASHBOARDS).flatMap((dashboard) =>
    (dashboard.panels ?? []).flatMap((panel) =>
      panel.type === 'row' || !('targets' in panel)
        ? []
        : (panel.targets ?? []).map((target) => {
            const { expr, legendFormat } = target as { expr?: string; legendFormat?: string };
            return {
              dashboard: uidOf(dashboard),
              panel: panel.title ?? '',
              legend: legendFormat ?? '',
              expr: expr ?? '',
            };
          }),
    ),
  );
}

/** Returns the queries of the annotations. */
export function annotationQueries(): PanelQuery[] {
  return Object.values(DASHBOARDS).flatMap((dashboard) =>
    (dashboard.annotations?.list ?? []).map(({ name, expr = '' }) => {
      return { dashboard: uidOf(dashboard), panel: `annotation: ${name}`, legend: '', expr };
    }),
  );
}

/** @param window replaces Grafana's `$__rate_interval` */
export function filledIn(expr: string, sweep: string, window: string): string {
  return expr.replaceAll('$sweep', sweep).replaceAll('$__rate_interval', window);
}

const uidOf = ({ uid }: Dashboard) => uid ?? '';
