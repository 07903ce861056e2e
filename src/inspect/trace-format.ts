/**
 * Events of domains in the Trace Event format, which Perfetto and chrome://tracing open.
 *
 * One line is one trace event, so that many processes can append to one file; its array is never
 * closed, as the format allows. For viewers: a track for each session and each resource, with
 * slices of waiting and of holding, and arrows from a release to the grants that follow from it.
 * For `checkTrace`: an instant for each event, with all of its fields.
 *
 * The first line of each thread states the version of its instants.
 *
 * Slices on a track may not overlap, so a track has as many lanes as are needed at the same time.
 */

import type { DomainEvents, EventDomain, EventName } from '../api/events.ts';
import { encodeSet, namesIn } from '../api/mode.ts';
import type { NamedSet } from '../api/sets.ts';
import { printable } from '../runtime/escape.ts';
import { printedLengthMax, setText } from './entries.ts';

/** Category of the instants with all fields of an event. */
export const eventCategory = 'kds';
/** Of the instants: of their names and arguments. */
export const traceVersion = 3;
/** The line that states it. */
export const versionName = 'kds_trace';
/** Resources are a process of their own in the viewer, with a number that no process has. */
const resourcesPidOffset = 1_000_000_000;
/** Lanes of a thread are numbered from here, times the thread's own number. */
const lanesOfThread = 1_000_000;
/** Sessions and resources with a track, at most. Events are written in any case. */
const trackCountMax = 2000;

export interface TraceSource {
  readonly pid: number;
  readonly threadId: number;
  /** Title of the process. */
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
interface LiveRequest {
  readonly title: string;
  sinceUs: number;
  isHeld: boolean;
  slices: readonly Slice[];
}

type AnyEvent = DomainEvents[EventName];
type Line = Readonly<Record<string, unknown>>;

/** Turns events, in their order, into lines. Each thread has one. */
export class TraceFormat {
  readonly #source: TraceSource;
  readonly #tracks = new Map<string, (Lane & { isBusy: boolean })[]>();
  readonly #live = new Map<string, LiveRequest>();
  /** The last release by domain and resource, for the arrow to the next grant. */
  readonly #releases = new Map<string, { readonly lane: Lane; readonly timeUs: number }>();
  #laneCount = 0;
  #arrowCount = 0;
  #lines: Line[] = [];

  constructor(source: TraceSource) {
    this.#source = source;
    const { pid, title } = source;
    const resourcesPid = pid + resourcesPidOffset;
    this.#lines.push({ name: versionName, ph: 'M', pid, tid: 0, args: { version: traceVersion } });
    this.#name('process_name', { pid, tid: 0 }, printable(title, printedLengthMax));
    this.#name('process_name', { pid: resourcesPid, tid: 0 }, `resources of ${pid}`);
  }

  /** The lines of an event, each as JSON. */
  add<Name extends EventName>(name: Name, event: DomainEvents[Name]): string[] {
    const { pid, threadId } = this.#source;
    const { timeUs: ts, set, ...rest } = event;
    const args = { ...rest, parts: encodeSet(set) };
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

  /** Slices of the live requests and grants, up to now. */
  endAll(timeUs: number): string[] {
    for (const live of this.#live.values()) this.#close(live, timeUs, 'not ended');
    this.#live.clear();
    return this.#take();
  }

  #take(): string[] {
    const lines = this.#lines.map((line) => JSON.stringify(line));
    this.#lines = [];
    return lines;
  }

  #begin(key: string, { domain, set, label, session, timeUs }: AnyEvent): void {
    const owner = label ?? session;
    const title =
      owner === undefined ? setText(set) : `${printable(owner, printedLengthMax)}: ${setText(set)}`;
    const slices = this.#laneFor(`session ${domain.name} ${session}`, this.#source.pid, () =>
      sessionText(domain, session),
    );
    this.#live.set(key, { title, sinceUs: timeUs, isHeld: false, slices });
  }

  #grant(key: string, { domain, set, timeUs, waitMs }: DomainEvents['kds.request.grant']): void {
    const known = this.#live.get(key);
    if (known === undefined) return;
    if (waitMs > 0) this.#slices(known, known.slices, timeUs, `waits, ${known.title}`, {});
    const lanes = namesIn(set).flatMap((name) => this.#resourceLane(domain, name));
    known.slices = [...known.slices, ...lanes];
    known.sinceUs = timeUs;
    known.isHeld = true;
    this.#arrows(domain, set, known, timeUs);
  }

  /** Arrows to the new holder, from the last release of each of its resources. */
  #arrows(
    { name: domain }: EventDomain,
    set: NamedSet,
    { slices }: LiveRequest,
    timeUs: number,
  ): void {
    const [to] = slices;
    if (to === undefined) return;
    for (const name of namesIn(set)) {
      const from = this.#releases.get(`${domain} ${name}`);
      if (from === undefined) continue;
      this.#arrowCount++;
      const id = `${this.#source.pid}.${this.#source.threadId}.${this.#arrowCount}`;
      const arrow = { name: 'hand-over', cat: 'kds-hand-over', id };
      // Slightly inside of each slice, as its very end belongs to the next slice.
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
      for (const name of namesIn(set)) this.#recordRelease(`${domain.name} ${name}`, from);
    }
    this.#close(known, timeUs, how);
  }

  /** Bounded like tracks: the oldest release is removed. */
  #recordRelease(key: string, from: { readonly lane: Lane; readonly timeUs: number }): void {
    this.#releases.delete(key);
    this.#releases.set(key, from);
    if (this.#releases.size <= trackCountMax) return;
    const [oldest] = this.#releases.keys();
    if (oldest !== undefined) this.#releases.delete(oldest);
  }

  #close(known: LiveRequest, timeUs: number, how: string): void {
    const title = known.isHeld ? known.title : `waits, ${known.title}`;
    this.#slices(known, known.slices, timeUs, title, { ended: how });
    for (const { free } of known.slices) free();
  }

  #slices(
    { sinceUs }: LiveRequest,
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
    return this.#laneFor(`resource ${domain.name} ${name}`, pid, () =>
      printable(name, printedLengthMax),
    );
  }

  /** A free lane of a track; an empty list if there are too many tracks. */
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
  if (session !== undefined) return printable(session, printedLengthMax);
  return label === undefined
    ? printable(name, printedLengthMax)
    : printable(label, printedLengthMax);
}

/** Rounded to the ns of the clock. */
function round(us: number): number {
  return Math.round(us * 1000) / 1000;
}
