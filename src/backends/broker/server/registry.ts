/** The sets and sessions of all clients of a broker, and what they cost in memory. */

import type { OuterGrant } from '../../../api/outer-grants.ts';
import { allLiveBytesMax } from '../wire/limits.ts';
import type { LiveRequest, ServedSession } from './live-request.ts';

export class Registry {
  /** By the token of the domain's grant. */
  readonly held = new Map<number, LiveRequest>();
  /** By the owner id of the domain's session. */
  readonly sessions = new Map<number, ServedSession>();
  #liveBytes = 0;
  #ownerLast = 0;
  #isStealing = false;

  nextOwner(): number {
    this.#ownerLast++;
    return this.#ownerLast;
  }

  hasRoomFor(byteCount: number): boolean {
    return this.#liveBytes + byteCount <= allLiveBytesMax;
  }

  /** Sets that wait or are held cost that much more, or less. */
  countLive(byteCount: number): void {
    this.#liveBytes += byteCount;
  }

  /**
   * A stealing request is about to be made. To find the losses takes time in proportion to all that
   * is held, and is rare; a signal for each grant would take half as long as the grant, each time.
   */
  expectLosses(): void {
    this.#isStealing = true;
  }

  /** After a steal: the holders of revoked grants are notified. */
  reportLosses(): void {
    if (!this.#isStealing) return;
    this.#isStealing = false;
    for (const request of [...this.held.values()]) {
      if (request.grant?.isHeld === false) request.owner.lose(request);
    }
  }

  /** What is still held of the grants that a client was started under. */
  liveAmong(outer: readonly OuterGrant[]): readonly LiveRequest[] {
    const isMeant = ({ token, owner }: LiveRequest): boolean =>
      outer.some((each) => each.token === token && each.pid === owner.info?.pid);
    return [...this.held.values()].filter(isMeant);
  }
}
