/** What a report says, before it is HTML or Markdown. All text is plain: each writer escapes it in its own way. */

/** How a verdict looks; its words say the same. */
export type Tone = 'good' | 'bad' | 'open';

export interface Badge {
  readonly text: string;
  readonly tone: Tone;
}

export interface Table {
  readonly caption: string;
  readonly columns: readonly { readonly header: string; readonly numeric: boolean }[];
  readonly rows: readonly (readonly (string | Badge)[])[];
}

/** One chart; several beside each other share the figure's legend. */
export interface Panel {
  readonly title: string;
  /** What a person who cannot see it should know. */
  readonly alt: string;
  readonly drawing: Drawing;
}

/** SVG without its outer element, coloured by the classes of CHART_STYLE; sizes in pixels. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly content: string;
}

export interface Figure {
  readonly title: string;
  /** How to read it. */
  readonly caption: string;
  /** Labels of the series, by their place: the colour and dash of class `s0`, `s1`, ... */
  readonly legend: readonly string[];
  readonly panels: readonly Panel[];
  /** Too wide to be shrunk: it scrolls in a box of its own. */
  readonly wide: boolean;
  /** The same numbers; undefined where a table nearby has them. */
  readonly table: Table | undefined;
}

export interface Picture {
  readonly title: string;
  readonly caption: string;
  readonly alt: string;
  readonly png: Uint8Array;
}

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  /** A limit that was reached, or a caution. */
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'facts'; readonly rows: readonly (readonly [string, string])[] }
  | { readonly kind: 'table'; readonly table: Table }
  | { readonly kind: 'heading'; readonly text: string; readonly badge?: Badge }
  | { readonly kind: 'figure'; readonly figure: Figure }
  | { readonly kind: 'pictures'; readonly pictures: readonly Picture[] }
  | { readonly kind: 'code'; readonly text: string; readonly language: string };

export interface Section {
  /** Of letters and dashes: the section's anchor. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** What a reader wants to know first. */
export interface Highlight {
  readonly label: string;
  readonly value: string;
  readonly detail: string;
}

export interface Document {
  readonly title: string;
  /** One line: how far it is. */
  readonly state: string;
  readonly highlights: readonly Highlight[];
  readonly sections: readonly Section[];
  /** When and by what it was written: the one line that differs between two reports of the same data. */
  readonly written: string;
}
