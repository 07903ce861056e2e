/**
 * One event loop's domain: the event loop itself puts operations in one order.
 *
 * A set that waits is tagged with its request. A grant needs no tag unless it has something to be
 * told: it knows its set, and core knows by the token whether that is still held.
 */

import type { Capability } from '../../api/domain.ts';
import { WaitTimeoutError } from '../../api/errors.ts';
import type { EventDomain } from '../../api/events.ts';
import { Memory } from '../../core/index.ts';
import type { HostGrant } from '../../local/grant.ts';
import { Host } from '../../local/host.ts';
import type { HostRequest } from '../../local/request.ts';
import type { LocalScope } from '../../local/scope.ts';
import { describeBlockers } from '../../report/blockers.ts';
import { CoarseClock } from '../../runtime/clock.ts';
import { ProcessReader } from './reader.ts';
import { Registry } from './registry.ts';
import { ProcessResources } from './resources.ts';

/** Beyond so many words, what a burst leaves behind is given back when the last set ends. */
const wordsKept = 2 ** 16;

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
]);

/** Of those that somebody has watched. */
let domainCount = 0;

export class ProcessHost extends Host {
  readonly capabilities = capabilities;
  readonly clock = new CoarseClock();
  readonly resources: ProcessResources;
  /** What the tags of sets stand for; 0 is nobody's. */
  readonly tagged = new Registry<HostRequest | HostGrant>();
  readonly reader: ProcessReader;

  constructor(label?: string, memory = new Memory()) {
    super(label, memory);
    this.resources = new ProcessResources(this);
    this.reader = new ProcessReader(this.core, this.clock, {
      tagged: this.tagged,
      resources: this.resources.used,
      label,
    });
  }

  enter(): void {}

  leaveGranted(): void {}

  leave(): void {
    const isUnused = this.setCount === 0 && this.core.memory.words.length > wordsKept;
    if (isUnused || this.core.hasNews || this.delivery.hasDirect) this.#handOn(isUnused);
  }

  /** What refuses an operation does so before it has changed anything, or has ended it. */
  undo(error: unknown): unknown {
    this.leave();
    return error;
  }

  block(_: LocalScope, set: number): never {
    const inTheWay = describeBlockers(this.reader, set);
    this.drop(set, 'timed-out');
    this.leave();
    throw new WaitTimeoutError(
      `not granted at once, and one event loop cannot wait for itself: ${inTheWay}. ` +
        'Use acquire() or enqueue().',
    );
  }

  tag(object: HostRequest | HostGrant): void {
    this.core.setTag(object.set, this.tagged.add(object));
  }

  ownSets(): readonly number[] {
    return this.core.sets();
  }

  protected untag(set: number): HostRequest | HostGrant | undefined {
    const tag = this.core.tag(set);
    return tag === 0 ? undefined : this.#untag(set, tag);
  }

  #untag(set: number, tag: number): HostRequest | HostGrant {
    const object = this.tagged.get(tag);
    this.tagged.delete(tag);
    this.core.setTag(set, 0);
    return object;
  }

  protected objects(): readonly (HostRequest | HostGrant)[] {
    return this.tagged.values();
  }

  protected eventDomain(): EventDomain {
    return { backend: 'process', name: `domain ${++domainCount}`, label: this.label };
  }

  protected wordFor(): number {
    return 0;
  }

  protected forgetWord(): void {}

  #handOn(isUnused: boolean): void {
    if (this.core.hasNews) {
      this.takeNews();
      this.resources.trim();
    }
    if (isUnused) {
      this.tagged.clear();
      if (this.resources.dropIdle()) this.core.reset();
    }
    this.delivery.runDirect();
  }
}
