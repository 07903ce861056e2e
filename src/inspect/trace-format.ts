/**
 * Events of domains in the Trace Event format, which Perfetto and chrome://tracing open.
 *
 * One line is one trace event, so that many processes can append to one file: the array that it
 * begins with is never closed, as the format allows. For those who look: a track for each session
 * and each resource, on them slices of waiting and of holding, and arrows from a release to the
 * grants that come of it. For `checkTrace`: an instant for each event, with all that it says.
 *
 * Slices on a track may not overlap, so a track has as many lanes as are needed at once.
 */

import type { DomainEvents, EventDomain, EventName } from '../api/events.ts';
import type { NamedSet } from '../api/sets.ts';
import { shown } from '../runtime/escape.ts';
import { namesOf, setText, shownLengthMax } from './entries.ts';

/** Category of the instants that tell all. */
export const eventCategory = 'kds';
/** The group of resources is shown as a process of its own, by a number that no process has. */
const resourcesPidOffset = 1_000_000_000;
/** Lanes of a thread are numbered from here, times the thread's own number. */
const lanesOfThread = 1_000_000;
/** Further sessions and resources get no track. Their events are told all the same. */
const trackCountMax = 2000;

export interface TraceSource {
  readonly pid: number;
  readonly threadId: number;
  /** What the process is called. */
  readonly title: string;
}

interface Lane {
  readonly pid: number;
  readonly tid: number;
}

interface Slice {
  readonly lane: Lane;
  readonly free: () => void;
}

/** A request, and then its grant, as long as it lives. */
interface Shown {
  readonly title: string;
  sinceUs: number;
  isHeld: boolean;
  slices: readonly Slice[];
}

type AnyEvent = DomainEvents[EventName];
type Line = Readonly<Record<string, unknown>>;

/** Turns events, in their order, into lines. One for each thread. */
export class TraceFormat {
  readonly #source: TraceSource;
  readonly #tracks = new Map<string, (Lane & { isBusy: boolean })[]>();
  readonly #live = new Map<string, Shown>();
  /** By domain and resource: where it was let go of last, for the arrow to the next grant. */
  readonly #releases = new Map<string, { readonly lane: Lane; readonly timeUs: number }>();
  #laneCount = 0;
  #arrowCount = 0;
  #lines: Line[] = [];

  constructor(source: TraceSource) {
    this.#source = source;
    const { pid, title } = source;
    const resourcesPid = pid + resourcesPidOffset;
    this.#name('process_name', { pid, tid: 0 }, shown(title, shownLengthMax));
    this.#name('process_name', { pid: resourcesPid, tid: 0 }, `resources of ${pid}`);
  }

  /** The lines of an event, each as JSON. */
  add<Name extends EventName>(name: Name, event: DomainEvents[Name]): string[] {
    const { pid, threadId } = this.#source;
    const { timeUs: ts, ...args } = event;
    const key = `${event.domain.name} ${event.id}`;
    const tid = threadId * lanesOfThread;
    this.#lines.push({ name, cat: eventCategory, ph: 'i', s: 't', ts: round(ts), pid, tid, args });
    switch (name) {
      case 'kds.request.start':
        this.#begin(key, event);
        break;
      case 'kds.request.grant':
        this.#grant(key, event as DomainEvents['kds.request.grant']);
        break;
      case 'kds.request.end': {
        const { outcome } = event as DomainEvents['kds.request.end'];
        if (outcome !== 'granted') this.#end(key, event, outcome);
        break;
      }
      case 'kds.grant.release':
        this.#end(key, event, 'released');
        break;
      case 'kds.grant.lost':
        this.#end(key, event, 'lost');
        break;
      default:
    }
    return this.#take();
  }

  /** Slices of what waits and is held, as far as they go. */
  endAll(timeUs: number): string[] {
    for (const shownOne of this.#live.values()) this.#close(shownOne, timeUs, 'not ended');
    this.#live.clear();
    return this.#take();
  }

  #take(): string[] {
    const lines = this.#lines.map((line) => JSON.stringify(line));
    this.#lines = [];
    return lines;
  }

  #begin(key: string, { domain, set, label, session, timeUs }: AnyEvent): void {
    const who = label ?? session;
    const title =
      who === undefined ? setText(set) : `${shown(who, shownLengthMax)}: ${setText(set)}`;
    const slices = this.#laneFor(`session ${domain.name} ${session}`, this.#source.pid, () =>
      sessionText(domain, session),
    );
    this.#live.set(key, { title, sinceUs: timeUs, isHeld: false, slices });
  }

  #grant(key: string, { domain, set, timeUs, waitMs }: DomainEvents['kds.request.grant']): void {
    const known = this.#live.get(key);
    if (known === undefined) return;
    if (waitMs > 0) this.#slices(known, known.slices, timeUs, `waits, ${known.title}`, {});
    const lanes = namesOf(set).flatMap((name) => this.#resourceLane(domain, name));
    known.slices = [...known.slices, ...lanes];
    known.sinceUs = timeUs;
    known.isHeld = true;
    this.#arrows(domain, set, known, timeUs);
  }

  /** To the new holder, from where each of its resources was let go of last. */
  #arrows({ name: domain }: EventDomain, set: NamedSet, { slices }: Shown, timeUs: number): void {
    const [to] = slices;
    if (to === undefined) return;
    for (const name of namesOf(set)) {
      const from = this.#releases.get(`${domain} ${name}`);
      if (from === undefined) continue;
      this.#arrowCount++;
      const id = `${this.#source.pid}.${this.#source.threadId}.${this.#arrowCount}`;
      const arrow = { name: 'hand-over', cat: 'kds-hand-over', id };
      // A little inside of each slice, as what is at its very end belongs to the next one.
      this.#lines.push({ ...arrow, ph: 's', ts: round(from.timeUs - 0.001), ...from.lane });
      this.#lines.push({ ...arrow, ph: 'f', bp: 'e', ts: round(timeUs + 0.001), ...to.lane });
    }
  }

  #end(key: string, { domain, set, timeUs }: AnyEvent, how: string): void {
    const known = this.#live.get(key);
    if (known === undefined) return;
    this.#live.delete(key);
    const [first] = known.slices;
    if (known.isHeld && first !== undefined) {
      const from = { lane: first.lane, timeUs };
      for (const name of namesOf(set)) this.#noteRelease(`${domain.name} ${name}`, from);
    }
    this.#close(known, timeUs, how);
  }

  /** Bounded as tracks are: the oldest one is forgotten. */
  #noteRelease(key: string, from: { readonly lane: Lane; readonly timeUs: number }): void {
    this.#releases.delete(key);
    this.#releases.set(key, from);
    if (this.#releases.size <= trackCountMax) return;
    const [oldest] = this.#releases.keys();
    if (oldest !== undefined) this.#releases.delete(oldest);
  }

  #close(known: Shown, timeUs: number, how: string): void {
    const title = known.isHeld ? known.title : `waits, ${known.title}`;
    this.#slices(known, known.slices, timeUs, title, { ended: how });
    for (const { free } of known.slices) free();
  }

  #slices(
    { sinceUs }: Shown,
    slices: readonly Slice[],
    timeUs: number,
    name: string,
    args: Line,
  ): void {
    const dur = round(Math.max(0, timeUs - sinceUs));
    for (const { lane } of slices) {
      this.#lines.push({ name, cat: 'kds-set', ph: 'X', ts: round(sinceUs), dur, ...lane, args });
    }
  }

  #resourceLane(domain: EventDomain, name: string): readonly Slice[] {
    const pid = this.#source.pid + resourcesPidOffset;
    return this.#laneFor(`resource ${domain.name} ${name}`, pid, () => shown(name, shownLengthMax));
  }

  /** A lane of a track that nothing is on; none, if there are too many tracks. */
  #laneFor(track: string, pid: number, title: () => string): readonly Slice[] {
    let lanes = this.#tracks.get(track);
    if (lanes === undefined) {
      if (this.#tracks.size >= trackCountMax) return [];
      lanes = [];
      this.#tracks.set(track, lanes);
    }
    let lane = lanes.find(({ isBusy }) => !isBusy);
    if (lane === undefined) {
      this.#laneCount++;
      const tid = this.#source.threadId * lanesOfThread + this.#laneCount;
      lane = { pid, tid, isBusy: false };
      lanes.push(lane);
      this.#name('thread_name', lane, title());
    }
    lane.isBusy = true;
    const taken = lane;
    return [
      {
        lane: { pid, tid: taken.tid },
        free: () => {
          taken.isBusy = false;
        },
      },
    ];
  }

  #name(name: 'process_name' | 'thread_name', { pid, tid }: Lane, title: string): void {
    this.#lines.push({ name, ph: 'M', pid, tid, args: { name: title } });
  }
}

function sessionText({ name, label }: EventDomain, session: string | undefined): string {
  if (session !== undefined) return shown(session, shownLengthMax);
  return label === undefined ? shown(name, shownLengthMax) : shown(label, shownLengthMax);
}

/** The clock has ns. */
function round(us: number): number {
  return Math.round(us * 1000) / 1000;
}
