/**
 * The way from a domain to the state in Redis: requests and grants by the numbers that the server
 * knows them by, and what the server tells of them, as an answer, as news, or when it is asked
 * what is left (audit.ts).
 *
 * What is expected of the server is kept here until it is over. While the server does not answer,
 * nothing is sent but beats; when it does, changes come first, then what is still expected is asked
 * again, by the same number if it may have arrived. A grant ends when the lease may have run out.
 */

import type { Capability } from '../../api/domain.ts';
import {
  DomainClosedError,
  LimitError,
  ResourceBusyError,
  UnavailableError,
  WaitTimeoutError,
} from '../../api/errors.ts';
import type { EventDomain } from '../../api/events.ts';
import type { RequestKey } from '../../api/outer-grants.ts';
import { type LeftBehind, RemoteLink } from '../../remote/backend.ts';
import type { RemoteGrant } from '../../remote/grant.ts';
import { lostError } from '../../remote/lost-error.ts';
import type { RemoteRequest } from '../../remote/request.ts';
import type { RemoteRef } from '../../remote/resources.ts';
import type { RemoteSession } from '../../remote/session.ts';
import type { Clock } from '../../runtime/clock.ts';
import { callersTime, type DeadlineOptions } from '../../runtime/deadline.ts';
import { escaped, quote } from '../../runtime/escape.ts';
import { audit } from './audit.ts';
import { type ChangeKind, Changes } from './changes.ts';
import type { RedisConnection } from './connection.ts';
import { Lease, outOfReach } from './lease.ts';
import { deadlockError, timeoutInWords } from './messages.ts';
import { keyNameOf, labelSent, linksOf, nameOf, rootOf } from './names.ts';
import { type Asked, howOf, type Place } from './pending-request.ts';
import { outageMsMax, whenReached } from './reach.ts';
import { type ScriptReply, Scripts, strangeAnswer } from './scripts.ts';
import { checkServer } from './server-kind.ts';
import type { ServerSession } from './server-session.ts';
import { type RedisSnapshot, takeSnapshot } from './snapshot.ts';
import { SubscriptionCheck } from './subscription-check.ts';

/** Length of what names a set, at most, in code units. */
const linksLengthMax = 4 * 2 ** 20;
/** A call that takes longer than this, in ms, is taken for lost; or than a third of the lease. */
const callMsMin = 1000;
const callMsMax = 10_000;
/** By so much longer, in ms, one whose time is over waits to be told who was in the way. */
const explainMsMax = 5000;
const explainTime: DeadlineOptions = { keepsAlive: true, isReal: true };
const capabilities: ReadonlySet<Capability> = new Set<Capability>([
  'settled',
  'downgrade',
  'part-release',
  'steal',
]);

export interface LinkOptions {
  readonly connection: RedisConnection;
  readonly clock: Clock;
  /** Of the domain. */
  readonly name: string;
  /** Of the domain, as this client calls it. */
  readonly label?: string | undefined;
  /** A name that nobody else has, without a dot. */
  readonly client: string;
  readonly leaseMs: number;
  /** Who this is, for people: JSON. */
  readonly about: string;
  /** Kept by others while anything that this client requests waits. Default none. */
  readonly outer?: readonly RequestKey[];
}

export class RedisLink extends RemoteLink<RedisSnapshot> {
  readonly capabilities = capabilities;
  override readonly eventDomain: EventDomain;
  readonly scripts: Scripts;
  /** Those whose word is awaited: by the request's id, which is the order in which they came. */
  readonly asked = new Map<number, Asked>();
  /** Those that hold, likewise. */
  readonly grants = new Map<number, { readonly grant: RemoteGrant; readonly place: Place }>();
  readonly #connection: RedisConnection;
  readonly #clock: Clock;
  readonly #root: string;
  readonly #client: string;
  readonly #outer: readonly RequestKey[];
  readonly #lease: Lease;
  readonly #changes: Changes;
  readonly #subscription: SubscriptionCheck;
  /** By number, in the present session. */
  readonly #askedByNumber = new Map<number, Asked>();
  readonly #grantsByNumber = new Map<number, RemoteGrant>();
  /** What a grant is known by, also once it is over. */
  readonly #places = new WeakMap<RemoteGrant, Place>();
  readonly #warnedOf = new Set<string>();
  #granting: Place | undefined;
  #downSinceMs: number | undefined;
  #isAuditDue = false;
  #isClosed = false;

  constructor(options: LinkOptions) {
    super();
    const { connection, clock, name, label, client, leaseMs, about, outer = [] } = options;
    this.#outer = outer;
    this.eventDomain = { backend: 'redis', name, label };
    this.#connection = connection;
    this.#clock = clock;
    this.#root = rootOf(name);
    this.#client = client;
    const callMs = Math.min(Math.max(leaseMs / 3, callMsMin), callMsMax);
    this.scripts = new Scripts(connection, clock, this.#root, callMs);
    this.#lease = new Lease(client, leaseMs, about, this.scripts, clock, {
      alive: (toldCount, numberTop) => this.#alive(toldCount, numberTop),
      heard: (reply) => this.#heard(reply, this.session),
      ranOut: () => {
        this.#loseAll(false);
        this.#changes.giveUp();
      },
      expired: () => this.#expired(),
      failed: (reason) => this.#heartbeatFailed(reason),
    });
    this.#changes = new Changes(this.scripts, this);
    this.#subscription = new SubscriptionCheck({
      connection,
      clock,
      channel: this.#channel,
      leaseMs,
      isUp: () => this.isUp,
      inTime: (reply) => this.scripts.inTime(reply),
      onRenewed: () => this.#reconnected(),
    });
  }

  get #channel(): string {
    return `${this.#root}c:${this.#client}`;
  }

  get session(): ServerSession {
    return this.#lease.session;
  }

  get isUp(): boolean {
    return this.#lease.isUp;
  }

  /**
   * Begins a session, once the client is connected.
   *
   * @throws UnavailableError if it is not, within ten seconds; UnsupportedError if the server is of
   * a kind that cannot be used; what it refuses with.
   */
  async open(): Promise<void> {
    await this.#whenReached(() => checkServer(this.scripts));
    const onMessage = (text: string): void => this.#message(text);
    await this.#whenReached(() =>
      this.scripts.inTime(this.#connection.subscribe(this.#channel, onMessage)),
    );
    await this.#whenReached(() => this.#lease.open());
    this.#connection.onReconnect(() => this.#reconnected());
    this.#subscription.start();
  }

  #reconnected(): void {
    // It may be another server, that has not heard of all that this one was told.
    this.#isAuditDue = true;
    this.#lease.beatNow();
  }

  override checkLease(): void {
    this.#lease.check();
  }

  ask(request: RemoteRequest): void {
    this.checkLease();
    const { set, timeoutMs } = request.terms;
    const links = linksOf(set, this.#client);
    if (links.length > linksLengthMax) {
      request.refuse(new LimitError(`a set takes at most ${linksLengthMax} code units to name`));
      return;
    }
    const asked: Asked = {
      request,
      links,
      sinceMs: this.#clock.nowMs(),
      // Now or never is for the server to say.
      stopDeadline:
        timeoutMs !== undefined && timeoutMs > 0
          ? this.#clock.after(timeoutMs, () => this.#timeOut(asked, timeoutMs), callersTime)
          : () => undefined,
      place: undefined,
      state: 'due',
      isRobbed: false,
    };
    this.asked.set(request.id, asked);
    if (this.isUp) this.#send(asked);
    else this.#lease.beatNow();
  }

  ended(request: RemoteRequest): void {
    const asked = this.asked.get(request.id);
    if (asked !== undefined) this.#giveBack(asked);
  }

  cancel(requests: readonly RemoteRequest[]): void {
    // The latest first, so that none of them is granted what another one leaves.
    for (const request of requests.toReversed()) this.ended(request);
  }

  held(grant: RemoteGrant): void {
    const place = this.#granting as Place;
    this.grants.set(grant.id, { grant, place });
    this.#grantsByNumber.set(place.number, grant);
    this.#places.set(grant, place);
  }

  override keyOf(grant: RemoteGrant): RequestKey | undefined {
    const place = this.#places.get(grant);
    return place && { session: place.session.id, number: place.number };
  }

  over(grant: RemoteGrant): void {
    this.grants.delete(grant.id);
    const place = this.#places.get(grant);
    if (place?.session === this.session) this.#grantsByNumber.delete(place.number);
  }

  release(grant: RemoteGrant, part?: readonly RemoteRef[]): Promise<void> {
    return part === undefined ? this.change('R', grant) : this.change('P', grant, part);
  }

  downgrade(grant: RemoteGrant, part = grant.set.shared ?? []): Promise<void> {
    return this.change('D', grant, part);
  }

  abandon(grant: RemoteGrant): Promise<void> {
    return this.change('A', grant);
  }

  async change(kind: ChangeKind, grant: RemoteGrant, part: readonly RemoteRef[] = []) {
    const place = this.#places.get(grant);
    if (place === undefined) return;
    const names = part.map((ref) => keyNameOf(ref, this.#client));
    await this.#changes.add(kind, place, names);
  }

  async query(): Promise<RedisSnapshot> {
    if (this.#isClosed) throw new DomainClosedError('the domain is closed');
    this.#changes.flush();
    return this.#whenReached(() => takeSnapshot(this.scripts, this.session.id));
  }

  async endSession(_session: RemoteSession<RedisSnapshot>, { grants }: LeftBehind): Promise<void> {
    const ends = grants.map((grant) => this.change('R', grant));
    this.#changes.flush();
    await Promise.all(ends);
  }

  async close(left: LeftBehind): Promise<void> {
    this.#isClosed = true;
    this.#subscription.stop();
    for (const grant of left.grants) void this.change('R', grant);
    this.#changes.flush();
    await this.#lease.close();
    this.#changes.giveUp();
    await this.#connection.close();
  }

  /** Also of what only reads: as long as a request would wait. */
  #whenReached<T>(attempt: () => Promise<T>): Promise<T> {
    return whenReached(this.#clock, attempt, () => this.#isClosed);
  }

  /** It may be at the server, and is not wanted: whatever it was granted is given back. */
  giveBackNumber(session: ServerSession, number: number): void {
    void this.#changes.add('C', { session, number, linkCount: 1 });
  }

  /** The server has no trace of it: it is asked anew, by another number. */
  askAnew(asked: Asked): void {
    if (asked.place !== undefined) this.#askedByNumber.delete(asked.place.number);
    asked.place = undefined;
    asked.state = 'due';
    asked.isRobbed = false;
    if (this.isUp) this.#send(asked);
  }

  /** The server says that something is not as it is known here. */
  lookAgain(): void {
    this.#lease.beatNow();
  }

  askedAs(number: number): Asked | undefined {
    return this.#askedByNumber.get(number);
  }

  grantAs(number: number): RemoteGrant | undefined {
    return this.#grantsByNumber.get(number);
  }

  /** It is granted: `id`, token, and what is recovered. */
  grant(asked: Asked, [id, token, ...recovered]: readonly string[]): void {
    // Whether it is held cannot be known: the next beat tells, and then it is looked into.
    if (!this.#lease.isValid) {
      this.#isAuditDue = true;
      asked.state = 'waiting';
      return;
    }
    this.#forget(asked);
    if (asked.place !== undefined) asked.place.id = id;
    this.#granting = asked.place;
    const told = { token: Number(token), recovered: recovered.map(nameOf) };
    const grant = asked.request.granted(told);
    if (asked.isRobbed) grant?.lose();
  }

  /** What was watched is gone. */
  settled(asked: Asked): void {
    const { place } = asked;
    this.#forget(asked);
    asked.request.settled();
    if (place !== undefined) void this.#changes.add('C', place);
  }

  protected async closeResource(resource: RemoteRef): Promise<void> {
    if (this.#isClosed) throw new DomainClosedError('the domain is closed');
    this.#changes.flush();
    const name = keyNameOf(resource, this.#client);
    const count = await this.#whenReached(() =>
      this.scripts.send('EXISTS', `${this.#root}t:${name}`, `${this.#root}w:${name}`),
    );
    if (Number(count) === 0) return;
    throw new ResourceBusyError(
      `resource ${quote(nameOf(name))} is held or waited for: release or cancel first`,
    );
  }

  #send(asked: Asked): void {
    this.#changes.flush();
    const { session } = this;
    const { terms, scope } = asked.request;
    const { exclusive = [], shared = [] } = terms.set;
    const linkCount = exclusive.length + shared.length;
    asked.place ??= { session, number: session.nextNumber(), linkCount };
    asked.state = 'sent';
    const { place } = asked;
    this.#askedByNumber.set(place.number, asked);
    const own = terms.holding.flatMap((grant) => this.grants.get(grant.id)?.place.number ?? []);
    const outer = this.#outer.map(({ session: name, number }) => `${name}/${number}`);
    const args = [
      session.id,
      `${place.number}`,
      howOf(asked.request),
      asked.links,
      labelSent(terms.label),
      labelSent(scope.label),
      [...own, ...outer].join(' '),
    ];
    this.scripts.run('enqueue', args).then(
      (reply) => this.#answered(asked, place, reply),
      (error) => this.#unanswered(asked, place, error),
    );
  }

  #answered(asked: Asked, place: Place, reply: ScriptReply): void {
    place.session.answered(place.number);
    const [word, ...rest] = reply.answer as readonly string[];
    const isWanted = this.#isWanted(asked, place);
    this.delivery.asOne(() => {
      // A thief is told before those who profit by the theft, and after those whom it robs.
      const losses = reply.news.split('\n').filter((line) => line.includes('\tlost\t'));
      for (const line of losses) this.#news(line, place.session);
      if (isWanted) this.#hearAnswer(asked, word, rest);
      this.#heard(reply, place.session);
    });
  }

  #hearAnswer(asked: Asked, word: string | undefined, rest: readonly string[]): void {
    const { request } = asked;
    switch (word) {
      case 'granted':
        this.grant(asked, (rest[0] ?? '').split('\t'));
        break;
      case 'waiting':
        asked.state = 'waiting';
        if (request.terms.timeoutMs === 0) this.#timeOut(asked, 0);
        else request.missed();
        break;
      case 'settled':
        this.settled(asked);
        break;
      case 'denied':
        this.#forget(asked);
        if (request.terms.how === 'try') request.settled();
        else request.refuse(new WaitTimeoutError(timeoutInWords(0, rest)));
        break;
      case 'deadlock':
        this.#forget(asked);
        request.refuse(deadlockError(asked.links, request.terms.label, rest));
        break;
      case 'limit':
        this.#forget(asked);
        request.refuse(new LimitError('too many wait for one another to look for a circle'));
        break;
      case 'over':
        this.askAnew(asked);
        break;
      case 'expired':
        asked.state = 'due';
        this.#lease.beatNow();
        break;
      default:
        this.#forget(asked);
        request.refuse(strangeAnswer());
    }
  }

  #unanswered(asked: Asked, place: Place, error: unknown): void {
    if (this.#isWanted(asked, place)) {
      if (error instanceof UnavailableError) {
        asked.state = 'due';
      } else {
        this.#forget(asked);
        asked.request.refuse(error);
        return;
      }
    }
    this.#failed(error);
  }

  /** Whether an answer is to what is still asked. */
  #isWanted(asked: Asked, place: Place): boolean {
    return asked.place === place && this.asked.get(asked.request.id) === asked;
  }

  /** Nothing is expected any more. */
  #forget(asked: Asked): void {
    asked.stopDeadline();
    this.asked.delete(asked.request.id);
    if (asked.place?.session === this.session) this.#askedByNumber.delete(asked.place.number);
  }

  /** It is not wanted any more; what the server may have of it is given back. */
  #giveBack(asked: Asked): void {
    const { place } = asked;
    this.#forget(asked);
    if (place !== undefined) void this.#changes.add('C', place);
  }

  /** Its time is over. From here on a grant comes too late. */
  #timeOut(asked: Asked, timeoutMs: number): void {
    const { request, place } = asked;
    this.#forget(asked);
    const refuse = (blockers: readonly string[]): void => {
      request.refuse(new WaitTimeoutError(timeoutInWords(timeoutMs, blockers)));
    };
    if (place === undefined) {
      refuse([]);
      return;
    }
    const told = this.#changes.add('T', place);
    const limitMs = this.isUp ? explainMsMax : 0;
    const stop = this.#clock.after(limitMs, () => refuse([]), explainTime);
    void told.then((blockers) => {
      stop();
      refuse(blockers);
    });
  }

  #message(text: string): void {
    if (this.#subscription.take(text)) return;
    const [session, ...lines] = text.split('\n');
    if (session !== this.session.id) return;
    this.delivery.asOne(() => {
      for (const line of lines) this.#news(line, this.session);
    });
  }

  /** What came with an answer. Also for {@link Changes}. */
  heard(reply: ScriptReply, session: ServerSession): void {
    this.#heard(reply, session);
  }

  #heard({ news, damage, isUnfinished }: ScriptReply, session: ServerSession): void {
    if (isUnfinished) this.#lease.beatNow();
    if (damage !== '') this.#warn(`a key of kds is damaged, or somebody else's: ${damage}`);
    if (news === '') return;
    this.delivery.asOne(() => {
      for (const line of news.split('\n')) this.#news(line, session);
    });
  }

  #news(line: string, session: ServerSession): void {
    const [told, kind, number, ...rest] = line.split('\t');
    if (session !== this.session || !session.hear(Number(told))) return;
    const asked = this.#askedByNumber.get(Number(number));
    if (kind === 'lost') {
      this.#grantsByNumber.get(Number(number))?.lose();
      if (asked !== undefined) asked.isRobbed = true;
    } else if (asked !== undefined) {
      if (kind === 'granted') this.grant(asked, rest);
      else this.settled(asked);
    }
  }

  #alive(toldCount: number, numberTop: number): void {
    this.#downSinceMs = undefined;
    this.#changes.hope();
    this.#changes.flush();
    for (const asked of [...this.asked.values()]) if (asked.state === 'due') this.#send(asked);
    if (!this.#isAuditDue && !this.session.hasMissed(toldCount, numberTop)) return;
    this.#isAuditDue = false;
    audit(this, this.session).catch((error) => {
      this.#isAuditDue = true;
      this.#failed(error);
    });
  }

  /** The server has let the session go: all that it held, and the places of those who wait. */
  #expired(): void {
    this.#loseAll(true);
    this.#changes.forget();
    this.#askedByNumber.clear();
    this.#grantsByNumber.clear();
    for (const asked of this.asked.values()) {
      asked.place = undefined;
      asked.state = 'due';
      asked.isRobbed = false;
    }
  }

  #loseAll(isKnown: boolean): void {
    const how = isKnown ? 'its lease ended' : 'its lease may have run out: redis did not answer';
    this.delivery.asOne(() => {
      for (const { grant, place } of [...this.grants.values()]) {
        // Should the server still have it, the next one is to be warned.
        void this.#changes.add('A', place);
        grant.lose(lostError(grant.token, `is lost, as ${how}`), 'died');
      }
    });
  }

  /** For {@link Changes} too: a call was not answered, or refused. */
  failed(error: unknown): void {
    this.#failed(error);
  }

  /**
   * A heartbeat that is refused for good keeps no lease, so all that waits would wait in vain: it
   * ends with that error.
   */
  #heartbeatFailed(error: unknown): void {
    this.#failed(error);
    if (this.#isClosed || error instanceof UnavailableError) return;
    for (const asked of [...this.asked.values()]) {
      this.#giveBack(asked);
      asked.request.refuse(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#isClosed) return;
    if (!(error instanceof UnavailableError)) {
      this.#warn(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#lease.suspect();
    const nowMs = this.#clock.nowMs();
    this.#downSinceMs ??= nowMs;
    const { asked } = this;
    for (const each of [...asked.values()]) {
      const sinceMs = Math.max(each.sinceMs, this.#downSinceMs);
      if (nowMs - sinceMs < outageMsMax) continue;
      this.#giveBack(each);
      each.request.refuse(outOfReach(nowMs - sinceMs, error));
    }
  }

  /** What concerns no request of its own: once for each text. */
  #warn(text: string): void {
    if (this.#warnedOf.size >= 100 || this.#warnedOf.has(text)) return;
    this.#warnedOf.add(text);
    process.emitWarning(escaped(text), { type: 'KdsWarning', code: 'KDS_PROTOCOL' });
  }
}
