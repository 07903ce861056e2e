/** Panels of a page: one for each form of a pipeline, with the histogram of its hand-overs. */

import type { HistogramSummary } from './histogram.ts';

const barCount = 30;
const decades = 5;
const leastMs = 0.01;
const ticks = ['10 µs', '0.1 ms', '1 ms', '10 ms', '0.1 s', '1 s'];
const svg = 'http://www.w3.org/2000/svg';
const count = new Intl.NumberFormat('en').format;

/** Text and figures of a form. */
export interface PanelOptions {
  readonly title: string;
  readonly text: string;
  /** Names of the figures below the three of the histogram, by key. */
  readonly more: Readonly<Record<string, string>>;
}

export class Panels {
  readonly #panels: ReadonlyMap<string, Panel>;

  /** Appends a panel to the box for each form. */
  constructor(box: Element, forms: Readonly<Record<string, PanelOptions>>) {
    const entries = Object.entries(forms);
    this.#panels = new Map(entries.map(([form, options]) => [form, new Panel(form, options)]));
    box.append(...[...this.#panels.values()].map((panel) => panel.box));
  }

  /** All histograms have the same scale. `more` returns the other figures of a form, as texts. */
  show<Summary extends HistogramSummary>(
    figures: Readonly<Record<string, Summary>>,
    running: string | undefined,
    more: (summary: Summary, form: string) => Readonly<Record<string, string>>,
  ): void {
    const shares = Object.values(figures).flatMap(({ bars, handOvers }) => {
      return bars.map((bar) => bar / Math.max(1, handOvers));
    });
    const shareMax = Math.max(...shares) || 1;
    for (const [form, panel] of this.#panels) {
      const summary = figures[form] as Summary;
      panel.show(summary, form === running, shareMax, more(summary, form));
    }
  }
}

class Panel {
  readonly box: HTMLElement;
  readonly #title: string;
  readonly #state = make('span', 'soft', 'not run yet');
  readonly #empty = make('span', 'empty soft', 'no hand-overs yet');
  readonly #plot = draw('svg', {
    viewBox: `0 0 ${barCount} 100`,
    preserveAspectRatio: 'none',
    role: 'img',
  });
  readonly #bars = Array.from({ length: barCount }, (_, x) => {
    return draw('rect', { class: 'bar', x: x + 0.06, width: 0.88, y: 100, height: 0 });
  });
  readonly #p50 = draw('line', { class: 'p50', y1: 0, y2: 100, visibility: 'hidden' });
  readonly #p99 = draw('line', { class: 'p99', y1: 0, y2: 100, visibility: 'hidden' });
  readonly #figures = new Map<string, HTMLElement>();

  constructor(form: string, { title, text, more }: PanelOptions) {
    this.#title = title;
    const heading = make('h3', '', title);
    heading.id = `form-${form}`;
    const grid = draw('g', { class: 'grid' });
    for (let x = barCount / decades; x < barCount; x += barCount / decades) {
      grid.append(draw('line', { x1: x, x2: x, y2: 100 }));
    }
    this.#plot.append(grid, ...this.#bars, this.#p50, this.#p99);
    const axis = make('div', 'axis', ...ticks.map((tick) => make('span', '', tick)));
    axis.ariaHidden = 'true';
    const list = make('dl', '');
    const names = { median: 'median', p99: '99th percentile', handOvers: 'hand-overs', ...more };
    for (const [key, name] of Object.entries(names)) {
      const cell = make('dd', key === 'handOvers' ? '' : 'strong', '–');
      cell.dataset['figure'] = key;
      this.#figures.set(key, cell);
      list.append(make('dt', '', name), cell);
    }
    this.box = make(
      'section',
      'form',
      make('header', '', heading, this.#state),
      make('p', 'soft', text),
      make('div', 'plot', this.#plot, this.#empty),
      axis,
      list,
    );
    this.box.setAttribute('aria-labelledby', heading.id);
    this.box.dataset['form'] = form;
  }

  /** `shareMax` is the top of the scale. */
  show(
    { handOvers, p50Ms, p99Ms, bars }: HistogramSummary,
    runs: boolean,
    shareMax: number,
    more: Readonly<Record<string, string>>,
  ): void {
    const isEmpty = handOvers === 0;
    write(this.#state, runs ? 'runs now' : isEmpty ? 'not run yet' : 'ran before');
    write(this.#empty, runs ? 'starts …' : 'no hand-overs yet');
    this.box.classList.toggle('runs', runs);
    this.#empty.style.display = isEmpty ? '' : 'none';
    for (const [at, bar] of this.#bars.entries()) {
      const height = isEmpty ? 0 : (95 * (bars[at] as number)) / handOvers / shareMax;
      bar.setAttribute('y', String(100 - height));
      bar.setAttribute('height', String(height));
    }
    for (const [line, ms] of [
      [this.#p50, p50Ms],
      [this.#p99, p99Ms],
    ] as const) {
      line.setAttribute('visibility', ms === undefined ? 'hidden' : 'visible');
      line.setAttribute('x1', String(xOf(ms ?? 0)));
      line.setAttribute('x2', String(xOf(ms ?? 0)));
    }
    const texts = {
      median: msText(p50Ms),
      p99: msText(p99Ms),
      handOvers: count(handOvers),
      ...more,
    };
    for (const [key, text] of Object.entries(texts)) {
      write(this.#figures.get(key) as HTMLElement, text);
    }
    const label = isEmpty
      ? `Histogram, ${this.#title}: not run yet`
      : `Histogram, ${this.#title}: median ${msText(p50Ms)}, p99 ${msText(p99Ms)}`;
    if (this.#plot.ariaLabel !== label) this.#plot.ariaLabel = label;
  }
}

export function missedText(displayed: number, missed: number): string {
  const all = displayed + missed;
  return all === 0 ? '–' : `${count(missed)} (${((100 * missed) / all).toFixed(1)} %)`;
}

export function msText(ms: number | undefined): string {
  if (ms === undefined) return '–';
  return `${ms < 1 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0)} ms`;
}

export function make(
  tag: string,
  className: string,
  ...children: readonly (string | Node)[]
): HTMLElement {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...children);
  return made;
}

export function write(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

function draw(tag: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const made = document.createElementNS(svg, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

function xOf(ms: number): number {
  const x = (barCount / decades) * Math.log10(Math.max(ms, leastMs) / leastMs);
  return Math.min(x, barCount);
}
