/**
 * The lease of a client's session: a beat renews it, three times in its length.
 *
 * When the server lets it end, all that the session holds is given to others. By the guard it has
 * run out here before it can there. Until the next beat is answered nothing is held, though the
 * server may yet know the session; if it does, those who wait have kept their places.
 */

import { UnavailableError } from '../../api/errors.ts';
import { LeaseGuard } from '../../remote/lease-guard.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { ScriptReply, Scripts } from './scripts.ts';
import { ServerSession } from './server-session.ts';

const beatsPerLease = 3;
/** Between attempts to reach the server, in ms, at most; a tenth of a short lease. */
const retryMsMax = 1000;

export interface LeaseEvents {
  /** The lease goes on: so much news has been told, and the last call known has this number. */
  alive(toldCount: number, numberTop: number): void;
  /** Anything heard with an answer. */
  heard(reply: ScriptReply): void;
  /** The lease may have run out: nothing is held any more. */
  ranOut(): void;
  /** The server does not know the session; `lease.session` is another one, to be opened now. */
  expired(): void;
  /** A beat was not answered. */
  failed(reason: unknown): void;
}

export class Lease {
  session: ServerSession;
  /** Whether the server answered last time: what is asked of it is on its way. */
  isUp = false;
  readonly #client: string;
  readonly #leaseMs: number;
  readonly #about: string;
  readonly #scripts: Scripts;
  readonly #clock: Clock;
  readonly #events: LeaseEvents;
  readonly #guard: LeaseGuard;
  #sessionCount = 1;
  #isOpen = false;
  #isClosed = false;
  #isBeating = false;
  #isBeatDue = false;
  #stopBeat: () => void = () => undefined;

  /** `client` is a name that nobody else has. */
  constructor(
    client: string,
    leaseMs: number,
    about: string,
    scripts: Scripts,
    clock: Clock,
    events: LeaseEvents,
  ) {
    this.session = new ServerSession(`${client}.1`);
    this.#client = client;
    this.#leaseMs = leaseMs;
    this.#about = about;
    this.#scripts = scripts;
    this.#clock = clock;
    this.#events = events;
    this.#guard = new LeaseGuard(clock, () => events.ranOut());
  }

  /** Whether what the server granted is held, as far as can be known here. */
  get isValid(): boolean {
    return this.#guard.isValid;
  }

  /** `events.ranOut` now, if the lease has run out by the clock. */
  check(): void {
    this.#guard.check();
  }

  /** @throws what the first beat fails with. */
  async open(): Promise<void> {
    await this.#beat();
    this.#schedule(this.#leaseMs / beatsPerLease);
  }

  /** Beats at once, or as soon as the present one is over. */
  beatNow(): void {
    if (this.#isClosed) return;
    if (this.#isBeating) {
      this.#isBeatDue = true;
      return;
    }
    this.#stopBeat();
    void this.#beatAndGoOn();
  }

  /** The server did not answer: nothing is asked of it until it answers a beat. */
  suspect(): void {
    if (!this.isUp) return;
    this.isUp = false;
    this.beatNow();
  }

  /** Ends the session: all of it is over when this resolves, or else when the lease is. */
  async close(): Promise<void> {
    this.stop();
    try {
      for (let isAll = false; !isAll; ) {
        const { answer } = await this.#run('close');
        isAll = answer[1] !== 'more';
      }
    } catch {
      // It ends by itself, when the lease does.
    }
  }

  /** No beats any more. */
  stop(): void {
    this.#isClosed = true;
    this.isUp = false;
    this.#stopBeat();
    this.#guard.end();
  }

  async #beatAndGoOn(): Promise<void> {
    this.#isBeating = true;
    let delayMs = this.#leaseMs / beatsPerLease;
    try {
      if (await this.#beat()) delayMs = 0;
    } catch (error) {
      this.isUp = false;
      delayMs = Math.min(retryMsMax, this.#leaseMs / 10);
      if (!this.#isClosed) this.#events.failed(error);
    }
    this.#isBeating = false;
    if (this.#isBeatDue) delayMs = 0;
    this.#isBeatDue = false;
    this.#schedule(delayMs);
  }

  /** True if another is to follow at once. */
  async #beat(): Promise<boolean> {
    this.check();
    const { session } = this;
    const sentMs = this.#clock.nowMs();
    const reply = await this.#run(this.#isOpen ? 'renew' : 'open');
    if (this.#isClosed) return false;
    const [word, toldCount, numberTop, more] = reply.answer;
    if (word === 'expired') {
      this.#isOpen = false;
      this.#sessionCount++;
      this.session = new ServerSession(`${this.#client}.${this.#sessionCount}`);
      this.#guard.end();
      this.#events.expired();
      return true;
    }
    this.#isOpen = true;
    this.isUp = true;
    this.#guard.renewed(sentMs, this.#leaseMs);
    this.#events.heard(reply);
    if (session === this.session) this.#events.alive(Number(toldCount), Number(numberTop));
    return more === 'more';
  }

  #run(what: 'open' | 'renew' | 'close'): Promise<ScriptReply> {
    return this.#scripts.run('beat', [this.session.id, what, `${this.#leaseMs}`, this.#about]);
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return;
    this.#stopBeat = this.#clock.after(delayMs, () => void this.#beatAndGoOn());
  }
}

/** What those who wait are told when the server has been out of reach for too long. */
export function outOfReach(forMs: number, reason: unknown): UnavailableError {
  const why = reason instanceof Error ? reason.message : String(reason);
  return new UnavailableError(`redis has been out of reach for ${Math.round(forMs)} ms: ${why}`);
}
