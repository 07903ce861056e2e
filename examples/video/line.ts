/**
 * The stages in line, by kds alone. The frames take turns: frame n has the resource of turn n
 * modulo 6. In the queue of a turn the sets of decoder, processor and display follow each other,
 * then those of the frame six frames later. Each stage, when it has a turn, requests the next one
 * before it passes this one on; so the order in the queue stays as the page has set it up, and no
 * coordinator is needed.
 *
 * The decoder's set is the turn *and* a unit of the pool: it never waits with one of them in hand.
 * It releases the turn when the frame is decoded, and keeps the unit, whose name is the buffer,
 * until the sets that followed in the turn have ended: then the frame has been displayed.
 */

import { DomainClosedError, type SyncDomain, type SyncGrant, type SyncSession } from 'kds';
import { bufferOfGrant, decoderSet, turnOf } from './pool.ts';
import type { Handed, Source } from './route.ts';
import { type Scene, type Stage, turnCount } from './scene.ts';

export class Line implements Source {
  readonly #session: SyncSession;
  readonly #scene: Scene;
  readonly #stage: Stage;
  readonly #onBroken: () => void;
  /** Requests for the next turns, in order. */
  readonly #requests: Promise<SyncGrant>[] = [];

  /** Stands in line for the first turns. `onBroken`: the stage before this one has ended. */
  constructor(domain: SyncDomain, scene: Scene, stage: Stage, onBroken: () => void) {
    this.#session = domain.session({ label: stage });
    this.#scene = scene;
    this.#stage = stage;
    this.#onBroken = onBroken;
    for (let number = 0; number < turnCount; number++) this.#request(number);
  }

  async next(number: number): Promise<Handed | undefined> {
    const grant = await ifOpen(this.#requests.shift() as Promise<SyncGrant>);
    if (grant === undefined) return undefined;
    const turn = turnOf(number);
    if (grant.recovered.includes(turn) || !this.#scene.isNext(this.#stage, number)) {
      this.#onBroken();
      await this.close();
      return undefined;
    }
    const pass = (): void => {
      this.#scene.step(this.#stage, number);
      grant.release(turn);
    };
    if (this.#stage === 'decoder') {
      this.#scene.setBufferOf(number, bufferOfGrant(grant));
      // Of this frame alone, so before the next request for this turn.
      this.#keepUnit(grant, this.#session.settled({ exclusive: turn }));
    }
    this.#request(number + turnCount);
    return { buffer: this.#scene.bufferOf(number), pass };
  }

  close(): Promise<void> {
    return this.#session.close();
  }

  #request(number: number): void {
    const set = this.#stage === 'decoder' ? decoderSet(number) : { exclusive: turnOf(number) };
    const request = this.#session.acquire(set, { label: `${this.#stage} ${number}` });
    // It may be refused before its turn.
    request.catch(() => {});
    this.#requests.push(request);
  }

  /** The processor and the display have the buffer after the decoder, which only keeps its unit. */
  async #keepUnit(grant: SyncGrant, displayed: Promise<void>): Promise<void> {
    await ifOpen(displayed);
    grant.release();
  }
}

/** Undefined if the session was closed meanwhile. */
async function ifOpen<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof DomainClosedError) return undefined;
    throw error;
  }
}
