/** One event loop's domain: the event loop itself puts operations in one order. */

import type { Capability } from '../../api/domain.ts';
import { WaitTimeoutError } from '../../api/errors.ts';
import type { EventDomain } from '../../api/events.ts';
import { Core, Memory } from '../../core/index.ts';
import { Operations, type Port, type Retries } from '../../local/operations.ts';
import { describeBlockers } from '../../report/blockers.ts';
import { CoarseClock } from '../../runtime/clock.ts';
import { ProcessOwners } from './owners.ts';
import { ProcessQueues } from './queues.ts';
import { ProcessReader } from './reader.ts';

/** Memory beyond this is given back when the last set ends. */
const wordsKept = 2 ** 16;

const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
  'units',
]);

/** An operation can always begin, so a failure is final. */
const retries: Retries = {
  later(error) {
    throw error;
  },
  again: (error) => Promise.reject(error),
  whenReady(error) {
    throw error;
  },
};

/** Of the domains whose events have been subscribed to. */
let domainCount = 0;

export class ProcessBackend implements Port {
  readonly capabilities = capabilities;
  readonly retries = retries;
  readonly plainUserData = 0;
  readonly clock = new CoarseClock();
  readonly owners: ProcessOwners;
  readonly queues: ProcessQueues;
  readonly reader: ProcessReader;
  readonly operations: Operations;
  readonly #label: string | undefined;

  constructor(label?: string, memory = new Memory()) {
    const core = new Core(memory);
    this.#label = label;
    this.owners = new ProcessOwners(core);
    this.queues = new ProcessQueues(core);
    const objects = { owners: this.owners.objects, resources: this.queues.used, label };
    this.reader = new ProcessReader(core, this.clock, objects);
    this.operations = new Operations(core, this);
  }

  eventDomain(): EventDomain {
    return { backend: 'process', name: `domain ${++domainCount}`, label: this.#label };
  }

  begin(): void {}

  beginPlain(): boolean {
    return true;
  }

  commitPlain(change: 1 | -1 | 0): void {
    this.owners.count += change;
    this.giveBackUnused();
  }

  commitUncontended(): void {}

  commit(): void {
    const { delivery } = this.operations;
    this.giveBackUnused();
    if (delivery.hasDirect) delivery.runDirect();
  }

  rollBack(): boolean {
    return false;
  }

  block(_: unknown, set: number): never {
    const blockers = describeBlockers(this.reader, set);
    this.operations.drop(set, 'timed-out');
    this.operations.commit();
    throw new WaitTimeoutError(
      `not granted at once, and one event loop cannot wait for itself: ${blockers}. ` +
        'Use acquire() or enqueue().',
    );
  }

  close(): void {
    this.operations.endings.endDomain();
  }

  private giveBackUnused(): void {
    const { core } = this.operations;
    if (this.owners.count > 0 || core.memory.words.length <= wordsKept) return;
    this.owners.objects.clear();
    if (this.queues.dropIdle()) core.reset();
  }
}
