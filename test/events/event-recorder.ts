/** Records the events of domains: of those with some labels, or of all. */

import { type DomainEvents, type EventName, watchEvents } from 'kds';

type AnyEvent = DomainEvents[EventName];

/** A line for each event: its name, the label of the request, and the outcome or cause. */
export class EventRecorder {
  readonly lines: string[] = [];
  readonly domains = new Set<string>();
  readonly #waiting = new Set<() => void>();
  readonly #stop: () => void;

  constructor(...labels: readonly string[]) {
    this.#stop = watchEvents((name: EventName, event: AnyEvent) => {
      const { domain } = event;
      if (labels.length > 0 && !labels.includes(domain.label ?? '')) return;
      this.domains.add(`${domain.backend} ${domain.name} ${domain.label}`);
      const { outcome = '', cause = '' } = event as { outcome?: string; cause?: string };
      this.lines.push(`${name.slice(4)} ${event.label} ${outcome}${cause}`.trim());
      for (const notify of this.#waiting) notify();
    });
  }

  async recorded(what: string): Promise<void> {
    while (!this.lines.includes(what)) {
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  stop(): void {
    this.#stop();
  }
}
