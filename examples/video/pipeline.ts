/**
 * The pipeline, as the page has it: three workers, which it starts, lines up and replaces. By the
 * route `kds` the page has no part in the frames; by `messages` each step goes through it.
 */

import { type Snapshot, UnavailableError } from 'kds';
import { createArena, openThreadsDomain, type ThreadsDomain } from 'kds/threads';
import type { Clip } from './clip.ts';
import type { FromStage, RouteName } from './messages.ts';
import { setPoolSize, takenOf, wholeLine } from './pool.ts';
import { Relay } from './relay.ts';
import { makeSceneMemory, Scene, type Stage, stages } from './scene.ts';
import { StageHandle } from './stage-handle.ts';

const retryMs = 100;

export interface PipelineOptions {
  /** Called for each display: the canvas of one that was terminated is of no use any more. */
  readonly makeCanvas: () => OffscreenCanvas;
  readonly onFailure: (message: string) => void;
}

/** A run: from the moment at which the stages are lined up. */
export interface Run {
  readonly route: RouteName;
  readonly clip: Clip;
}

export class Pipeline {
  readonly scene: Scene;
  readonly domain: ThreadsDomain;
  readonly #memory = makeSceneMemory();
  readonly #options: PipelineOptions;
  readonly #handles = new Map<Stage, StageHandle>();
  readonly #relay: Relay;
  #run: Run | undefined;
  #generation = 0;
  #poolSize: number;
  /** The last of the operations, which follow each other. */
  #last: Promise<void> = Promise.resolve();
  #isBroken = false;

  constructor(poolSize: number, options: PipelineOptions) {
    this.scene = new Scene(this.#memory);
    this.domain = openThreadsDomain(createArena(), { label: 'page' });
    this.#options = options;
    this.#poolSize = poolSize;
    setPoolSize(this.domain, poolSize);
    this.#relay = new Relay(poolSize, (stage, message) => this.#handles.get(stage)?.send(message));
  }

  /** Undefined while the stages are not in line. */
  get run(): Run | undefined {
    return this.#run;
  }

  /** Grows each time the stages are lined up. */
  get generation(): number {
    return this.#generation;
  }

  /** Buffers that are taken. */
  inFlight(snapshot: Snapshot): number {
    return this.#run?.route === 'messages' ? this.#relay.inFlight : takenOf(snapshot);
  }

  get poolSize(): number {
    return this.#poolSize;
  }

  setPoolSize(poolSize: number): void {
    this.#poolSize = poolSize;
    this.#relay.setPoolSize(poolSize);
    this.#resize();
  }

  start(run: Run): Promise<void> {
    return this.#then(() => this.#lineUp(run));
  }

  stop(): Promise<void> {
    return this.#then(() => this.#lineUp(undefined));
  }

  /** Ends a worker in the middle of its work. */
  terminate(stage: Stage): void {
    this.#handles.get(stage)?.terminate();
    // The next stage in line notices that by itself, but no message does.
    if (this.#run?.route === 'messages') this.#recover();
  }

  /**
   * Lines the stages up: all leave, a worker that has ended is replaced, and they enter in the
   * order of the pipeline, while the page holds all turns and the whole pool. It gets these when
   * the sets of the stages have ended, also of a terminated one.
   */
  async #lineUp(run: Run | undefined): Promise<void> {
    this.#run = undefined;
    await this.#request({ kind: 'leave' }, 'left');
    const grant = await this.domain.acquire(wholeLine, { label: 'page lines up' });
    this.#isBroken = false;
    if (this.#handles.get('decoder')?.isTerminated) this.#countOrphans();
    if (run === undefined) {
      grant.release();
      return;
    }
    for (const stage of stages) await this.#startStage(stage);
    this.scene.reset();
    await this.#request({ kind: 'enter', ...run }, 'entered');
    this.#run = run;
    this.#generation++;
    grant.release();
    if (run.route === 'messages') this.#relay.start();
  }

  /** The page does not block: it retries, should a worker have ended with the arena's lock. */
  #resize(): void {
    try {
      setPoolSize(this.domain, this.#poolSize);
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      setTimeout(() => this.#resize(), retryMs);
    }
  }

  /** One stage after the other, in the order of the pipeline. */
  async #request(...parameters: Parameters<StageHandle['request']>): Promise<void> {
    for (const stage of stages) await this.#handles.get(stage)?.request(...parameters);
  }

  async #startStage(stage: Stage): Promise<void> {
    const before = this.#handles.get(stage);
    if (before?.isTerminated === false) return;
    const handle = new StageHandle(stage, (message) => this.#receive(handle, message));
    this.#handles.set(stage, handle);
    const canvas = stage === 'display' ? this.#options.makeCanvas() : undefined;
    await handle.start(this.domain, this.#memory, canvas);
  }

  /** The frames that the terminated decoder had open are closed by the browser. */
  #countOrphans(): void {
    const { scene } = this;
    const [opened, closed, orphaned] = (['opened', 'closed', 'orphaned'] as const).map((name) => {
      return scene.countOf(name);
    }) as [number, number, number];
    scene.count('orphaned', opened - closed - orphaned);
  }

  #receive({ stage }: StageHandle, message: FromStage): void {
    if (message.kind === 'passed') this.#relay.pass(stage, message.number);
    else if (message.kind === 'broken') this.#recoverLine();
    else if (message.kind === 'failed') this.#options.onFailure(message.message);
  }

  /** A stage reports that also if the page has only stopped the one before it. */
  #recoverLine(): void {
    if (this.#isBroken || this.#run === undefined) return;
    this.scene.count('broken');
    this.#recover();
  }

  #recover(): void {
    const run = this.#run;
    if (this.#isBroken || run === undefined) return;
    this.#isBroken = true;
    void this.start(run);
  }

  #then(operation: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(operation).catch((error: unknown) => {
      this.#options.onFailure(String(error));
    });
    return this.#last;
  }
}
