/** Workers that domains are opened in from afar; they are used again, as their start costs most. */

import { Worker } from 'node:worker_threads';
import type { Domain } from 'kds';
import type { Arena } from 'kds/threads';
import { type Bundle, bundleWorker } from './bundle.ts';
import { RemoteClient, RemoteDomain } from './remote-domain.ts';
import type { Envelope, FromWorker, ToWorker } from './remote-messages.ts';

export class DomainPool {
  readonly #bundle: Bundle;
  readonly #workers: readonly Worker[];
  readonly #clients = new Map<number, RemoteClient>();
  #domainLast = 0;

  private constructor(bundle: Bundle, workers: readonly Worker[]) {
    this.#bundle = bundle;
    this.#workers = workers;
    for (const worker of workers) {
      worker.on('message', ({ domain, message }: Envelope<FromWorker>) => {
        this.#clients.get(domain)?.receive(message);
      });
      worker.on('error', (error) => {
        for (const client of this.#clients.values()) client.fail(error);
      });
    }
  }

  static async start(workerCount: number): Promise<DomainPool> {
    const bundle = await bundleWorker(new URL('./domain-worker.ts', import.meta.url));
    const workers = Array.from({ length: workerCount }, () => new Worker(bundle.path));
    return new DomainPool(bundle, workers);
  }

  /** A domain in one of the workers, by number. */
  async open(arena: Arena, number: number): Promise<Domain> {
    const worker = this.#workers[number % this.#workers.length] as Worker;
    this.#domainLast++;
    const domain = this.#domainLast;
    const client = new RemoteClient((message: ToWorker) => {
      const envelope: Envelope<ToWorker> = { domain, message };
      worker.postMessage(envelope);
    });
    this.#clients.set(domain, client);
    await client.call({ do: 'open', arena });
    return new RemoteDomain(client);
  }

  async end(): Promise<void> {
    for (const worker of this.#workers) await worker.terminate();
    this.#bundle.remove();
  }
}
