/** Hears what is told of domains: of those with some labels, or of all. */

import { type DomainEvents, type EventName, watchEvents } from 'kds';

type AnyEvent = DomainEvents[EventName];

/** In words: what has happened, to which request, and how it ended or why. */
export class Ear {
  readonly heard: string[] = [];
  readonly domains = new Set<string>();
  readonly #hears = new Set<() => void>();
  readonly #stop: () => void;

  constructor(...labels: readonly string[]) {
    this.#stop = watchEvents((name: EventName, event: AnyEvent) => {
      const { domain } = event;
      if (labels.length > 0 && !labels.includes(domain.label ?? '')) return;
      this.domains.add(`${domain.backend} ${domain.name} ${domain.label}`);
      const { outcome = '', cause = '' } = event as { outcome?: string; cause?: string };
      this.heard.push(`${name.slice(4)} ${event.label} ${outcome}${cause}`.trim());
      for (const hear of this.#hears) hear();
    });
  }

  async hears(what: string): Promise<void> {
    while (!this.heard.includes(what)) {
      await new Promise<void>((resolve) => this.#hears.add(resolve));
    }
  }

  stop(): void {
    this.#stop();
  }
}
