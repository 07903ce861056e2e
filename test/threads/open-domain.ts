/** The far side of {@link RemoteDomain}: real domains, opened in this thread or process. */

import type { Arena } from '../../src/backends/threads/index.ts';
import type {
  AcquireOptions,
  Domain,
  Grant,
  PreparedSet,
  Resource,
  ResourceRef,
  SetSpec,
  Waiter,
} from '../../src/index.ts';
import {
  abortReason,
  type ChangedGrant,
  type Envelope,
  type FromWorker,
  type OptionsSent,
  type RefSent,
  type SetSent,
  sendError,
  type ToWorker,
} from './remote-messages.ts';

type Message<Do extends ToWorker['do']> = Extract<ToWorker, { readonly do: Do }>;

type GrantMessage = Message<'release' | 'downgrade' | 'upgrade' | 'abandon'>;

class OpenDomain {
  readonly #send: (message: FromWorker) => void;
  readonly #sessions = new Map<number, Domain>();
  readonly #grants = new Map<number, Grant>();
  readonly #waiters = new Map<number, Waiter>();
  readonly #signals = new Map<number, AbortController>();
  readonly #resources = new Map<number, Resource>();
  readonly #prepared = new Map<number, PreparedSet>();

  constructor(domain: Domain, send: (message: FromWorker) => void) {
    this.#send = send;
    this.#sessions.set(0, domain);
  }

  receive(message: ToWorker): void {
    switch (message.do) {
      case 'ask':
        this.#ask(message);
        break;
      case 'abort':
        this.#signal(message.signal).abort(abortReason);
        break;
      case 'cancel':
        // It may have been granted, and be told by a message that is on its way.
        if (this.#waiters.get(message.request)?.cancel() !== true) {
          void this.#grants.get(message.request)?.release();
        }
        break;
      case 'session': {
        const { id, parent, label } = message;
        this.#sessions.set(id, this.#session(parent).session(label === undefined ? {} : { label }));
        break;
      }
      case 'resource':
        this.#resources.set(message.id, this.#session(0).resource(message.name));
        break;
      case 'prepare':
        this.#prepared.set(message.id, this.#session(0).prepare(this.#set(message.set) as SetSpec));
        break;
      default:
        this.#answer(message);
    }
  }

  #answer(message: Exclude<ToWorker, Message<'ask'>>): void {
    switch (message.do) {
      case 'query':
        this.#reply(message.id, () => this.#session(message.session).query());
        break;
      case 'close':
        this.#reply(message.id, () => this.#session(message.session).close());
        break;
      case 'close resource':
        this.#reply(message.id, () => this.#resources.get(message.resource)?.close());
        break;
      case 'set capacity': {
        const { id, session, of, capacity } = message;
        this.#reply(id, () => this.#session(session).setCapacity(this.#ref(of), capacity));
        break;
      }
      case 'capacity':
        this.#reply(message.id, () =>
          this.#session(message.session).capacity(this.#ref(message.of)),
        );
        break;
      case 'release':
      case 'downgrade':
      case 'upgrade':
      case 'abandon':
        this.#reply(message.id, () => this.#change(message));
        break;
      default:
        throw new Error(`no domain is told to ${message.do}`);
    }
  }

  async #change({ do: change, grant: id, part, left }: GrantMessage): Promise<ChangedGrant> {
    const grant = this.#grants.get(id) as Grant;
    const refs = part?.map((ref) => this.#ref(ref));
    let isUpgraded = false;
    if (change === 'abandon') await grant.abandon();
    else if (change === 'upgrade') isUpgraded = await grant.tryUpgrade(refs);
    else if (left !== undefined) await grant.downgrade({ units: this.#byRef(left) });
    else if (change === 'downgrade') await grant.downgrade(refs);
    else await (refs === undefined ? grant.release() : grant.release(refs));
    return { isHeld: grant.isHeld, isUpgraded, units: grant.units };
  }

  #ask({ id, how, session: sessionId, set: setSent, options }: Message<'ask'>): void {
    const session = this.#session(sessionId);
    const given = this.#options(options);
    const refuse = (error: unknown): void => this.#send({ id, error: sendError(error) });
    const tell = (grant: Grant | null): void => this.#tell(id, grant);
    try {
      const set = this.#set(setSent);
      if (how === 'acquire') {
        session.acquire(set, given).then(tell, refuse);
      } else if (how === 'try') {
        session.tryAcquire(set, given as { label?: string }).then(tell, refuse);
      } else if (how === 'settled') {
        session.settled(set, given).then(() => this.#send({ id, value: undefined }), refuse);
      } else {
        const { delivery } = options;
        const terms = { ...given, ...(delivery && { delivery }), onRefused: refuse };
        this.#waiters.set(id, session.enqueue(set, tell, terms));
      }
    } catch (error) {
      refuse(error);
    }
  }

  #tell(id: number, grant: Grant | null): void {
    if (grant === null) {
      this.#send({ id, value: null });
      return;
    }
    this.#grants.set(id, grant);
    const { token, recovered, ignored, units, signal } = grant;
    this.#send({ id, value: { token, recovered, ignored, units } });
    const lost = (): void => this.#send({ lost: id, error: sendError(signal.reason) });
    if (signal.aborted) lost();
    else signal.addEventListener('abort', lost, { once: true });
  }

  #reply(id: number, call: () => unknown): void {
    const done = async (): Promise<void> => {
      const value = (await call()) as undefined;
      this.#send({ id, value });
    };
    done().catch((error: unknown) => this.#send({ id, error: sendError(error) }));
  }

  #session(id: number): Domain {
    return this.#sessions.get(id) as Domain;
  }

  #signal(id: number): AbortController {
    const controller = this.#signals.get(id) ?? new AbortController();
    this.#signals.set(id, controller);
    return controller;
  }

  #options({ signal, holding, delivery: _, ...options }: OptionsSent): AcquireOptions {
    return {
      ...options,
      ...(signal !== undefined && { signal: this.#signal(signal).signal }),
      ...(holding && { holding: holding.map((id) => this.#grants.get(id) as Grant) }),
    };
  }

  #set(set: SetSent): SetSpec | PreparedSet {
    if (typeof set === 'number') return this.#prepared.get(set) as PreparedSet;
    const { exclusive, shared, units } = set;
    return {
      ...(units && { units: this.#byRef(units) }),
      ...(exclusive && { exclusive: exclusive.map((ref) => this.#ref(ref)) }),
      ...(shared && { shared: shared.map((ref) => this.#ref(ref)) }),
    };
  }

  #byRef<T>(each: readonly (readonly [RefSent, T])[]): ReadonlyMap<ResourceRef, T> {
    return new Map(each.map(([ref, value]) => [this.#ref(ref), value]));
  }

  #ref(ref: RefSent): ResourceRef {
    return typeof ref === 'string' ? ref : (this.#resources.get(ref) as Resource);
  }
}

/**
 * Serves whatever domains are asked for. What is to be opened is the arena of threads, or what
 * stands for it with other hosts. Returns what is to be called with each message.
 */
export function serveDomains(
  open: (where: Arena) => Promise<Domain>,
  post: (envelope: Envelope<FromWorker>) => void,
): (envelope: Envelope<ToWorker>) => void {
  const domains = new Map<number, OpenDomain>();
  return ({ domain, message }) => {
    const send = (answer: FromWorker): void => post({ domain, message: answer });
    if (message.do === 'open') {
      open(message.arena).then(
        (opened) => {
          domains.set(domain, new OpenDomain(opened, send));
          send({ id: message.id, value: undefined });
        },
        (error) => send({ id: message.id, error: sendError(error) }),
      );
      return;
    }
    domains.get(domain)?.receive(message);
  };
}
