/** The page: its controls, and the figures that it reads from shared memory. */

import type { Snapshot } from 'kds';
import { keepHalfBusy } from '../shared/half-busy.ts';
import { make, missedText, type PanelOptions, Panels, write } from '../shared/panels.ts';
import type { Clip } from './clip.ts';
import type { Encoded } from './encoder-worker.ts';
import { type FigureSummary, Figures, RunReader } from './figures.ts';
import { LineRows } from './line-rows.ts';
import type { RouteName } from './messages.ts';
import { Pipeline } from './pipeline.ts';
import { bufferCount, type Codec, type Counter, codecs, height, stages, width } from './scene.ts';

const readMs = 200;
const turnMs = 6000;
const poolSizeDefault = 3;

const more = { shown: 'frames shown', missed: 'frames missed', inFlight: 'frames in flight' };
const forms = {
  kds: {
    title: 'kds',
    text: 'The worker that ends its step wakes the next one.',
    more,
  },
  'kds-busy': {
    title: 'kds, busy main thread',
    text: 'The main thread computes for 10 of every 20 ms.',
    more,
  },
  messages: {
    title: 'postMessage',
    text: 'Each step is a message to the main thread and one from it.',
    more,
  },
  'messages-busy': {
    title: 'postMessage, busy main thread',
    text: 'The main thread also computes for 10 of every 20 ms.',
    more,
  },
} satisfies Record<string, PanelOptions>;
type FormName = keyof typeof forms;
const formNames = Object.keys(forms) as FormName[];

const checkNames: Readonly<Partial<Record<Counter, string>>> = {
  shown: 'frames shown',
  opened: 'VideoFrames opened',
  closed: 'closed',
  closedTwice: 'closed twice',
  orphaned: 'ended with a terminated worker',
  torn: 'frames torn',
  misordered: 'frames out of order',
  broken: 'ends of a worker noticed by the next',
};
/** These stay 0. */
const faults: readonly Counter[] = ['closedTwice', 'torn', 'misordered'];

function element<E extends HTMLElement>(id: string): E {
  return document.getElementById(id) as E;
}

/** The clips that were made, by their codec. */
const clips = new Map<Codec, Promise<Clip>>();

function clipOf(codec: Codec): Promise<Clip> {
  const clip = clips.get(codec) ?? encode(codec);
  clips.set(codec, clip);
  return clip;
}

async function encode(codec: Codec): Promise<Clip> {
  const worker = new Worker(new URL('./encoder-worker.mjs', import.meta.url), { type: 'module' });
  const encoded = await new Promise<Encoded>((resolve) => {
    worker.addEventListener('message', ({ data }) => resolve(data), { once: true });
    worker.postMessage(codec);
  });
  worker.terminate();
  if ('error' in encoded) throw new Error(encoded.error);
  return encoded.clip;
}

function makeCanvas(): OffscreenCanvas {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  element('screen').replaceChildren(canvas);
  return canvas.transferControlToOffscreen();
}

function showFailure(message: string): void {
  element('failure').hidden = false;
  write(element('failure'), message);
}

class VideoPage {
  readonly #pipeline = new Pipeline(poolSizeDefault, { makeCanvas, onFailure: showFailure });
  readonly #panels = new Panels(element('forms'), forms);
  readonly #rows = new LineRows(element('turn-rows'));
  readonly #checks = new Map<string, HTMLElement>();
  #figures = newFigures();
  #reader: { readonly generation: number; readonly run: RunReader } | undefined;
  /** The form that is wanted, and the one that runs. */
  #form: FormName = 'kds';
  #running: FormName | undefined;
  #state: 'starts …' | 'runs' | 'stops …' | 'stopped' = 'starts …';
  #codec: Codec = 'vp8';
  #isWanted = true;
  #isAutomatic = true;
  #turn: number | undefined;
  #stopBusy: () => void = () => {};
  /** Changes that were made, and the last one that is in effect. */
  #changes = 0;
  #changing: Promise<void> = Promise.resolve();

  constructor() {
    for (const [key, name] of Object.entries({ ...checkNames, taken: 'buffers taken' })) {
      const cell = make('dd', '', '0');
      cell.dataset['check'] = key;
      this.#checks.set(key, cell);
      element('checks')
        .querySelector('dl')
        ?.append(make('dt', '', name), cell);
    }
    this.#listen();
    this.#isWanted = !matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#change();
    this.#startTurn();
    this.#readOn().catch((error: unknown) => showFailure(String(error)));
  }

  #listen(): void {
    for (const radio of document.querySelectorAll<HTMLInputElement>('input[name=form]')) {
      radio.addEventListener('change', () => {
        this.#isAutomatic = false;
        this.#startTurn();
        this.#choose(radio.value as FormName);
      });
    }
    element<HTMLInputElement>('turns').addEventListener('change', ({ target }) => {
      this.#isAutomatic = (target as HTMLInputElement).checked;
      this.#startTurn();
    });
    element('reset').addEventListener('click', () => {
      this.#figures = newFigures();
    });
    element('run').addEventListener('click', () => {
      this.#isWanted = !this.#isWanted;
      this.#change();
    });
    element<HTMLSelectElement>('codec').addEventListener('change', ({ target }) => {
      const { value } = target as HTMLSelectElement;
      this.#codec = codecs.find((codec) => codec === value) ?? 'vp8';
      this.#change();
    });
    const pool = element<HTMLSelectElement>('pool');
    for (let size = 1; size <= bufferCount; size++) {
      pool.append(new Option(String(size), undefined, false, size === poolSizeDefault));
    }
    pool.addEventListener('change', () => this.#pipeline.setPoolSize(Number(pool.value)));
    for (const button of document.querySelectorAll<HTMLElement>('[data-terminate]')) {
      const stage = stages.find((each) => each === button.dataset['terminate']);
      button.addEventListener('click', () => stage && this.#pipeline.terminate(stage));
    }
  }

  #choose(form: FormName): void {
    this.#form = form;
    this.#change();
  }

  #startTurn(): void {
    clearTimeout(this.#turn);
    if (!this.#isAutomatic) return;
    this.#turn = window.setTimeout(() => {
      const next = (formNames.indexOf(this.#form) + 1) % formNames.length;
      if (this.#isWanted) this.#choose(formNames[next] as FormName);
      this.#startTurn();
    }, turnMs);
  }

  /** Brings the pipeline into the state that is wanted now. */
  #change(): void {
    const change = ++this.#changes;
    this.#changing = this.#changing.then(async () => {
      // A later change has what this one wanted.
      if (change !== this.#changes) return;
      const [form, isWanted] = [this.#form, this.#isWanted];
      this.#stopBusy();
      this.#stopBusy = () => {};
      this.#running = undefined;
      this.#state = isWanted ? 'starts …' : 'stops …';
      if (!isWanted) {
        await this.#pipeline.stop();
        this.#state = 'stopped';
        return;
      }
      const clip = await clipOf(this.#codec);
      const route: RouteName = form.startsWith('kds') ? 'kds' : 'messages';
      await this.#pipeline.start({ route, clip });
      this.#running = form;
      this.#state = 'runs';
      if (form.endsWith('busy')) this.#stopBusy = keepHalfBusy();
    });
    this.#changing = this.#changing.catch((error: unknown) => showFailure(String(error)));
  }

  async #readOn(): Promise<never> {
    for (;;) {
      this.#read(await this.#pipeline.domain.query());
      await new Promise((resolve) => setTimeout(resolve, readMs));
    }
  }

  #read(snapshot: Snapshot): void {
    const { scene, run, generation } = this.#pipeline;
    const inFlight = this.#pipeline.inFlight(snapshot);
    const form = run === undefined ? undefined : this.#running;
    if (form !== undefined) {
      if (this.#reader?.generation !== generation) {
        this.#reader = { generation, run: new RunReader(scene) };
      }
      this.#reader.run.read(this.#figures[form]);
      this.#figures[form].setInFlight(inFlight);
    }
    this.#show(form, inFlight);
    this.#rows.show(snapshot);
  }

  #show(running: FormName | undefined, inFlight: number): void {
    const summaries = Object.fromEntries(
      formNames.map((form) => [form, this.#figures[form].summary()]),
    );
    this.#panels.show(summaries, running, textsOf);
    const { scene, poolSize } = this.#pipeline;
    for (const [key, cell] of this.#checks) {
      const isTaken = key === 'taken';
      const count = isTaken ? inFlight : scene.countOf(key as Counter);
      write(cell, isTaken ? `${count} of ${poolSize}` : String(count));
      cell.classList.toggle('wrong', count > 0 && faults.includes(key as Counter));
    }
    write(element('state'), this.#state);
    write(element('run'), this.#isWanted ? 'Stop' : 'Start');
    element<HTMLInputElement>('turns').checked = this.#isAutomatic;
    for (const radio of document.querySelectorAll<HTMLInputElement>('input[name=form]')) {
      radio.checked = radio.value === this.#form;
    }
    const { dataset } = document.body;
    dataset['viewCount'] = String(Number(dataset['viewCount']) + 1);
  }
}

function newFigures(): Record<FormName, Figures> {
  return {
    kds: new Figures(),
    'kds-busy': new Figures(),
    messages: new Figures(),
    'messages-busy': new Figures(),
  };
}

function textsOf({ shown, missed, inFlight, inFlightMax }: FigureSummary): Record<string, string> {
  return {
    shown: String(shown),
    missed: missedText(shown, missed),
    inFlight: inFlightMax === 0 ? '–' : `${inFlight}, at most ${inFlightMax}`,
  };
}

new VideoPage();
