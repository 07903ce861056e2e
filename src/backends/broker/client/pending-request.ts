/** A request, as it is asked of the broker, and asked again of the one that follows it. */

import { WaitTimeoutError } from '../../../api/errors.ts';
import type { RemoteRequest } from '../../../remote/request.ts';
import { callersTime, Deadline, type DeadlineOptions } from '../../../runtime/deadline.ts';
import { errorReceived } from '../wire/errors.ts';
import type { Frame } from '../wire/frames.ts';
import type { Ask, ClientMessage } from '../wire/messages.ts';
import type { Expected, Link } from './backend.ts';

/**
 * The broker ends a wait in time, as it knows which request is in the way. If it says nothing for
 * so much longer, in ms, it is asked: its timers may not be those of this process.
 */
const patienceMs = 100;
/** If it does not answer that for so much longer, in ms, it is out of reach. */
const silenceMsMax = 5000;
const brokersTime: DeadlineOptions = { keepsAlive: true, isReal: true };

export class Asked implements Expected {
  readonly id: number;
  readonly #link: Link;
  readonly #request: RemoteRequest;
  #deadline: Deadline | undefined = undefined;
  #stopAsking: (() => void) | undefined = undefined;
  #place: number | undefined;

  constructor(link: Link, request: RemoteRequest) {
    const { timeoutMs } = request.terms;
    this.id = request.id;
    this.#link = link;
    this.#request = request;
    if (timeoutMs === 0) this.#giveUpIn(silenceMsMax, 0);
    else if (timeoutMs !== undefined) this.#limitTo(timeoutMs);
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
    this.#stopAsking?.();
  }

  #limitTo(timeoutMs: number): void {
    const ask = (): void => this.#askWhy(timeoutMs);
    const wait = (): void => {
      this.#deadline = new Deadline(patienceMs, ask, brokersTime);
    };
    this.#deadline = new Deadline(timeoutMs, wait, callersTime);
  }

  /** What is in the way is in the way of the same request, made now or never. */
  #askWhy(timeoutMs: number): void {
    this.#giveUpIn(silenceMsMax, timeoutMs);
    const id = this.#link.nextId();
    const refuse = (reason: unknown): void => this.#timeOut(timeoutMs, reason);
    this.#stopAsking = this.#link.askBesides({
      id,
      message: () => {
        const { place: _, holding: __, steal: ___, ...message } = this.message() as Ask;
        return { ...message, id, timeoutMs: 0 };
      },
      hear: (frame) => {
        if (frame['is'] === 'refused') refuse(errorReceived(frame));
        else if (frame['is'] !== 'waiting') refuse(undefined);
      },
      refuse,
    });
  }

  #timeOut(timeoutMs: number, reason: unknown): void {
    const isKnown = reason instanceof WaitTimeoutError;
    const why = isKnown ? reason.message.replace(/^not \w+ (within 0 ms|now)/, '') : '';
    const { how } = this.#request.terms;
    const what = how === 'settled' ? 'settled' : 'granted';
    this.#link.cancel([this.#request]);
    this.refuse(new WaitTimeoutError(`not ${what} within ${timeoutMs} ms${why}`));
  }

  #giveUpIn(delayMs: number, timeoutMs: number): void {
    const giveUp = (): void => {
      const why = `not granted within ${timeoutMs} ms, and the broker does not answer`;
      this.#link.cancel([this.#request]);
      this.refuse(new WaitTimeoutError(`${why}: see whether it is stopped or cannot be started`));
    };
    this.#deadline = new Deadline(delayMs, giveUp, brokersTime);
  }
}
