/** A request, as it is asked of the broker, and asked again of the one that follows it. */

import { WaitTimeoutError } from '../../domain/errors.ts';
import { Deadline } from '../../event-loop/deadline.ts';
import type { RemoteRequest } from '../../remote-domain/request.ts';
import type { Frame } from './frames.ts';
import type { Expected, Link } from './link.ts';
import type { ClientMessage } from './messages.ts';
import { errorReceived } from './wire-errors.ts';

/**
 * The broker ends a wait in time, as it knows who is in the way. If it says nothing for so much
 * longer, in ms, it is out of reach.
 */
const silenceMsMax = 5000;

export class Asked implements Expected {
  readonly id: number;
  readonly #link: Link;
  readonly #request: RemoteRequest;
  readonly #deadline: Deadline | undefined;
  #place: number | undefined;

  constructor(link: Link, request: RemoteRequest) {
    const { timeoutMs } = request.terms;
    this.id = request.id;
    this.#link = link;
    this.#request = request;
    this.#deadline =
      timeoutMs === undefined
        ? undefined
        : new Deadline(timeoutMs + silenceMsMax, () => this.#hearNothing(timeoutMs));
  }

  message(): ClientMessage {
    const { id, scope, terms } = this.#request;
    const { how, set, label, locked, steal, holding, timeoutMs } = terms;
    const session = this.#link.sessionSent(scope);
    const kept = holding.filter(({ isHeld }) => isHeld).map((grant) => grant.id);
    return {
      do: how,
      ...set,
      ...(label !== undefined && { label }),
      ...(locked !== undefined && { locked }),
      ...(steal !== undefined && { steal }),
      id,
      ...(session !== 0 && { session }),
      ...(timeoutMs !== undefined && { timeoutMs: this.#request.leftMs(timeoutMs) }),
      ...(kept.length > 0 && { holding: kept }),
      ...(this.#place !== undefined && { place: this.#place }),
    };
  }

  hear(frame: Frame): void {
    switch (frame['is']) {
      case 'granted':
        this.#request.granted(frame as { token: number });
        break;
      case 'waiting':
        if (this.#place === undefined) this.#request.missed();
        this.#place = frame['place'] as number;
        break;
      case 'refused':
        this.refuse(errorReceived(frame));
        break;
      default:
        this.#request.settled();
    }
  }

  refuse(reason: unknown): void {
    this.#request.refuse(reason);
  }

  /** Nothing is to be heard of it any more. */
  end(): void {
    this.#deadline?.cancel();
  }

  #hearNothing(timeoutMs: number): void {
    const why = `not granted within ${timeoutMs} ms, and the broker does not answer`;
    this.#link.cancel([this.#request]);
    this.refuse(new WaitTimeoutError(`${why}: see whether it is stopped or cannot be started`));
  }
}
