/**
 * The content of a report, independent of the file format. Text is not escaped, because the HTML and Markdown writers
 * escape the text.
 */

/** Style of a verdict. */
export type VerdictStyle = 'good' | 'bad' | 'open';

export interface Badge {
  readonly text: string;
  readonly tone: VerdictStyle;
}

export interface ReportTable {
  readonly caption: string;
  readonly columns: readonly { readonly header: string; readonly numeric: boolean }[];
  readonly rows: readonly (readonly (string | Badge)[])[];
}

/** One chart of a figure. All panels of a figure share its legend. */
export interface Panel {
  readonly title: string;
  /** Alternative text of the drawing. */
  readonly alt: string;
  readonly drawing: ChartDrawing;
}

/** SVG without its outer element. The classes of CHART_STYLE set the colors. Sizes are in pixels. */
export interface ChartDrawing {
  readonly width: number;
  readonly height: number;
  readonly content: string;
}

export interface Figure {
  readonly title: string;
  /** Explains how to read the figure. */
  readonly caption: string;
  /** Labels of the series by index. The class `s0`, `s1`, ... of a series sets its color and dash. */
  readonly legend: readonly string[];
  readonly panels: readonly Panel[];
  /** Whether a figure that is wider than the page keeps its width and scrolls sideways. */
  readonly scrolls: boolean;
  /** A table with the numbers of the chart; undefined if another table contains the numbers. */
  readonly table: ReportTable | undefined;
}

export interface ReportImage {
  readonly title: string;
  readonly caption: string;
  readonly alt: string;
  readonly png: Uint8Array;
}

export type ReportBlock =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [string, string])[] }
  | { readonly kind: 'table'; readonly table: ReportTable }
  | { readonly kind: 'heading'; readonly text: string; readonly badge?: Badge }
  | { readonly kind: 'figure'; readonly figure: Figure }
  | { readonly kind: 'images'; readonly images: readonly ReportImage[] }
  | { readonly kind: 'code'; readonly text: string; readonly language: string };

export interface Section {
  /** The anchor of the section, which consists of letters and hyphens. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly ReportBlock[];
}

/** A key result at the top of the report. */
export interface Highlight {
  readonly label: string;
  readonly value: string;
  readonly detail: string;
}

export interface Document {
  readonly title: string;
  /** State and progress on one line. */
  readonly state: string;
  readonly highlights: readonly Highlight[];
  readonly sections: readonly Section[];
  /** Time and version. All other parts of the document depend on the data only. */
  readonly written: string;
}
