/**
 * The thread of the globe's page: its HTTP server, the encoder of its pictures, the figures of the
 * three forms, and kds' own page of the running pipeline.
 *
 * A browser requests a picture when it has displayed the last one, and receives the next one that
 * comes on the display; so the pipeline waits for no browser.
 */

import { parentPort, workerData } from 'node:worker_threads';
import type { Snapshot } from 'kds';
import type { DisplayStatistics } from 'kds/display';
import { servePage } from 'kds/inspect/page';
import { openThreadsDomain, type ThreadsDomain } from 'kds/threads';
import { type BufferRow, BufferRows } from './buffer-rows.ts';
import { encode } from './canvas.ts';
import {
  type FormName,
  type FromPage,
  formNames,
  type PageData,
  type Started,
} from './messages.ts';
import { type PageCommands, servePipeline } from './page-server.ts';
import { Tally, TallyReader, type TallySummary } from './tally.ts';
import type { FromDisplay, ToDisplay } from './timed-display.ts';

const waitingMax = 32;
/** Time between two readings of the pipeline. */
const readMs = 200;
/** Time of each form while they take turns. */
const turnMs = 6000;

/** Data for the page, beside the picture. */
interface State {
  /** The form that runs. */
  readonly form: FormName;
  /** The form that runs, or that is about to start in its place. */
  readonly wanted: FormName;
  /** Whether the forms take turns, until the user chooses one. */
  readonly isAutomatic: boolean;
  readonly figures: Readonly<Record<FormName, TallySummary>>;
  readonly buffers: readonly BufferRow[];
  readonly snapshot: Snapshot;
  readonly statistics: DisplayStatistics;
}

/** A pipeline that runs, as this thread reads it. */
interface Running extends Started {
  readonly domain: ThreadsDomain;
  readonly rows: BufferRows;
  readonly reader: TallyReader;
}

class LivePage implements PageCommands {
  readonly #frames = new Answers<Buffer>(() => this.#request('frame'));
  /** Answered by the timer. */
  readonly #states = new Answers<State>(() => {});
  #tallies = newTallies();
  #running: Running | undefined;
  #wanted: FormName = 'direct';
  #isAutomatic = true;
  #turn: NodeJS.Timeout | undefined;
  #displayed = 0;
  #received = Promise.resolve();

  constructor() {
    setInterval(() => this.#request('statistics'), readMs);
    this.#want('direct');
  }

  nextFrame(): Promise<Buffer> {
    return this.#frames.next();
  }

  nextState(): Promise<unknown> {
    return this.#states.next();
  }

  choose(form: FormName): void {
    this.#isAutomatic = false;
    clearTimeout(this.#turn);
    this.#want(form);
  }

  takeTurns(): void {
    this.#isAutomatic = true;
    this.#startTurn();
  }

  reset(): void {
    this.#tallies = newTallies();
  }

  query(): Promise<Snapshot> {
    if (this.#running === undefined) return Promise.reject(new Error('the pipeline starts'));
    return this.#running.domain.query();
  }

  /** A pipeline has started in place of the last one, whose display has closed its port. */
  receive(started: Started): void {
    this.#received = this.#received.then(() => this.#read(started));
  }

  async #read(started: Started): Promise<void> {
    const before = this.#running?.domain;
    this.#running = undefined;
    const { scene, arena, display } = started;
    const domain = openThreadsDomain(arena, { label: 'page' });
    await domain.ready;
    const rows = new BufferRows(scene);
    const running = { ...started, domain, rows, reader: new TallyReader(scene) };
    this.#running = running;
    display.on('message', (message: FromDisplay) => {
      if (this.#running === running) void this.#show(running, message);
    });
    if (this.#frames.areWanted) this.#request('frame');
    this.#startTurn();
    await before?.close();
  }

  async #show(running: Running, message: FromDisplay): Promise<void> {
    if (message.kind === 'frame') {
      this.#frames.publish(await encode(message.pixels, 'jpeg'));
      return;
    }
    const { statistics } = message;
    const { form, reader, domain, rows, scene } = running;
    reader.read(statistics, this.#tallies[form]);
    this.#displayed = scene.firstNumber + statistics.shown;
    const snapshot = domain.querySync();
    const buffers = rows.rowsOf(snapshot);
    const { direct, main, busy } = this.#tallies;
    const figures = { direct: direct.summary(), main: main.summary(), busy: busy.summary() };
    const [wanted, isAutomatic] = [this.#wanted, this.#isAutomatic];
    this.#states.publish({ form, wanted, isAutomatic, figures, buffers, snapshot, statistics });
  }

  #request(wanted: ToDisplay): void {
    this.#running?.display.postMessage(wanted);
  }

  #want(form: FormName): void {
    if (this.#wanted === form && this.#running !== undefined) return;
    this.#wanted = form;
    send({ kind: 'wanted', form, firstNumber: this.#displayed });
  }

  #startTurn(): void {
    clearTimeout(this.#turn);
    if (!this.#isAutomatic) return;
    this.#turn = setTimeout(() => {
      const next = (formNames.indexOf(this.#wanted) + 1) % formNames.length;
      this.#want(formNames[next] as FormName);
    }, turnMs);
  }
}

function newTallies(): Record<FormName, Tally> {
  return { direct: new Tally(), main: new Tally(), busy: new Tally() };
}

/** Requests for the next one of something, which is made once for all of them. */
class Answers<T> {
  readonly #request: () => void;
  #waiting: ((answer: T) => void)[] = [];

  constructor(request: () => void) {
    this.#request = request;
  }

  get areWanted(): boolean {
    return this.#waiting.length > 0;
  }

  next(): Promise<T> {
    if (this.#waiting.length >= waitingMax) return Promise.reject(new Error('too many viewers'));
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#request();
    });
  }

  publish(answer: T): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve(answer);
  }
}

function send(message: FromPage): void {
  parentPort?.postMessage(message);
}

const { port } = workerData as PageData;
try {
  const page = new LivePage();
  parentPort?.on('message', (started: Started) => page.receive(started));
  const url = await servePipeline(port, page);
  const inspect = await servePage({ read: () => page.query(), title: 'globe', intervalMs: 200 });
  send({ kind: 'listening', url, inspectUrl: inspect.url });
} catch (error) {
  const { code, message } = error as NodeJS.ErrnoException;
  const inUse = `port ${port} is in use: npm start -- --port 0 takes any free port`;
  send({ kind: 'failed', message: code === 'EADDRINUSE' ? inUse : message });
}
