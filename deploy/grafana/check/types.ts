// What a dashboard of ours is in Grafana's own types: each panel with the options of its sort, each query Prometheus's.
import type { AnnotationQuery, Dashboard, DataQuery, FieldConfigSource, Panel, RowPanel } from "@grafana/schema";
import type * as bargauge from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as timeline from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

/** A type as JSON writes it: an enum is one of its values, not a member. */
type Json<T> = T extends string
  ? `${T}`
  : T extends number
    ? number extends T
      ? T
      : `${T}` extends `${infer Value extends number}`
        ? Value
        : never
    : T extends boolean | null | undefined
      ? T
      : T extends Array<infer Item>
        ? Array<Json<Item>>
        : T extends object
          ? { [Key in keyof T]: Json<T[Key]> }
          : T;

/** Grafana ships the types of its Prometheus source in no package of types; these fields are documented. */
interface PrometheusQuery extends DataQuery {
  expr: string;
  format?: "time_series" | "table" | "heatmap";
  instant?: boolean;
  range?: boolean;
  legendFormat?: string;
}

type Of<Type extends string, Options, Custom = object> = Omit<Panel, "type" | "options" | "fieldConfig" | "targets"> & {
  type: Type;
  title: string;
  description: string;
  options: Options;
  fieldConfig: Omit<FieldConfigSource<Custom>, "defaults"> & {
    defaults: Omit<FieldConfigSource["defaults"], "custom"> & { custom?: Custom };
  };
  targets: PrometheusQuery[];
};

type OurPanel =
  | Of<"stat", stat.Options>
  | Of<"bargauge", Partial<bargauge.Options>>
  | Of<"state-timeline", Partial<timeline.Options>, timeline.FieldConfig>
  | Of<"table", Partial<table.Options>, Partial<table.FieldConfig>>
  | Of<"timeseries", Partial<timeseries.Options>, timeseries.FieldConfig>;

/** The Prometheus source reads the title of an annotation beside its query. */
type OurAnnotation = AnnotationQuery<DataQuery & { expr: string }> & { titleFormat: string };

export type OurDashboard = Json<
  Omit<Dashboard, "panels" | "annotations"> & {
    uid: string;
    title: string;
    panels: Array<OurPanel | RowPanel>;
    annotations: { list: OurAnnotation[] };
  }
>;
