/**
 * Small worlds of agents that share an arena: the real lock and the real doorbells of the threads
 * host, and as little as will do of what they are for.
 *
 * Under the lock two words are changed that must stay equal, or a queue of those who want one
 * resource. Before a change its old words go into the journal, which is one word here: 0, or what
 * was there and 1. Who takes the lock from a dead one undoes what the journal tells. An undertaker
 * notices deaths, at any later time, and does what the threads host does for the exit of a worker.
 */

import * as C from '../src/backends/threads/control.ts';
import { Doorbell, notifyAgent } from '../src/backends/threads/doorbell.ts';
import { ArenaLock, type LockEnvironment } from '../src/backends/threads/lock.ts';
import { type Agent, type Program, portOf, type WordSteps, type World } from './steps.ts';

/** A wrong way of doing a step, put between the real classes and the words. */
export type Fault = (steps: WordSteps) => WordSteps;

export const waited = 1 << 30;

const FIRST = 200;
const SECOND = 201;
const JOURNAL = 202;
/** Notes: how many changes were completed; whether one is half done; who has the lock, as bits. */
const CHANGES = 203;
const HALF_DONE = 204;
const INSIDE = 205;
/** The resource: who has it, who waits for it (two bits each, the first lowest), who uses it. */
const HOLDER = 206;
const QUEUE = 207;
const USER = 208;
/** A note: who waits, in the order of arrival, as it should be. */
const LINE = 209;
/** How each agent's request has ended, a note, two bits each. */
const OUTCOMES = 210;
/** How many messages were sent to an agent; it waits on this word for the next. */
const MESSAGES = 212;
const wordCount = 220;

const control = new Int32Array(wordCount);

/** What any world may choose. */
interface Common {
  /** How many deaths there are at most. Default none. */
  readonly deaths?: number;
  /** Who may die. Default everybody, but for the undertaker. */
  readonly mortals?: readonly number[];
  /**
   * What is done about the dead. `marks`: they are marked, and all are woken and rung, so that the
   * next one buries them. `buries`: that too, and the undertaker buries them himself, under the
   * lock.
   */
  readonly undertaker?: 'marks' | 'buries' | 'is late for ever';
  /** What the undertaker forgets to do. */
  readonly omits?: 'waking all' | 'ringing all' | 'rolling back';
  readonly timeOuts?: boolean;
  readonly spinCount?: number;
  /** The real one, or one that is taken in a single step as soon as it may be. Default real. */
  readonly lock?: 'real' | 'simple';
  readonly fault?: Fault;
  readonly forgets?: boolean;
  /** Whether words that the lock guards are left out of the interleaving. Default true. */
  readonly reduces?: boolean;
}

const guardedByLock: NonNullable<World['guarded']> = {
  words: [FIRST, SECOND, JOURNAL, HOLDER, QUEUE],
  isGuard: (memory, agent) => memory.get(INSIDE) === 1 << agent,
};

// ---------------------------------------------------------------------------------------------
// The lock

/** One who takes the lock. */
export interface Visitor {
  /** How often. Default once. */
  readonly times?: number;
  /** Default true. */
  readonly maySleep?: boolean;
  /** Whether he may lose patience. */
  readonly mayGiveUp?: boolean;
  /** Whether he makes a change while he has the lock. Default true. */
  readonly changes?: boolean;
}

/** Where an agent is in the arena's table, and how many have been there before. */
interface Place {
  readonly place: number;
  readonly generation: number;
}

class GivenUp extends Error {}

/** An agent's lock, and what must be done on taking it. */
class Entrance {
  readonly #agent: Agent;
  readonly #lock: Pick<ArenaLock, 'take' | 'letGo' | 'wakeAll'>;
  readonly #rollsBack: boolean;
  readonly #undo: (agent: Agent, journal: number) => void;

  constructor(
    agent: Agent,
    common: Common,
    undo: (agent: Agent, journal: number) => void,
    visitor: Visitor = {},
    { place, generation }: Place = { place: agent.index, generation: 0 },
  ) {
    const { deaths = 0, spinCount = 1, fault = (steps: WordSteps) => steps } = common;
    const { maySleep = true, mayGiveUp = false } = visitor;
    const { words } = agent;
    const environment: LockEnvironment = {
      spinCount,
      generation,
      maySleep,
      isDead: (owner) => {
        // Only the lock word that was read last.
        agent.again('finds', 1);
        return deaths > 0 && words.load(C.wordsOfAgent(owner) + C.STATE) === C.DEAD;
      },
      stillWaits: () => {
        if (mayGiveUp && agent.choose(2) === 1) throw new GivenUp();
      },
    };
    this.#agent = agent;
    this.#undo = undo;
    this.#rollsBack = common.omits !== 'rolling back';
    const steps = portOf(leavingNoted(agent, fault(words)));
    this.#lock =
      common.lock === 'simple'
        ? new SimpleLock(agent)
        : new ArenaLock(control, C.LOCK, place, environment, steps);
  }

  /** Takes the lock and undoes what its owner has left half done. False if it was given up. */
  enter(): boolean {
    const agent = this.#agent;
    try {
      return agent.summed('enter', () => {
        const from = agent.summed('take', () => this.#lock.take());
        agent.note((memory) => {
          const others = memory.get(INSIDE);
          const expected = from < 0 ? 0 : 1 << from;
          if (others !== expected) throw new Error(`two have the lock: ${others.toString(2)}`);
          memory.set(INSIDE, 1 << agent.index);
        });
        const journal = agent.words.load(JOURNAL);
        if (journal !== 0 && this.#rollsBack) {
          if (from < 0) throw new Error('the journal is open, and nobody has died');
          this.#undo(agent, journal);
          agent.words.store(JOURNAL, 0);
          agent.note((memory) => {
            if (memory.get(HALF_DONE) !== 1) throw new Error('it is rolled back without need');
            memory.set(HALF_DONE, 0);
          });
        }
        agent.note((memory) => {
          if (memory.get(HALF_DONE) !== 0) throw new Error('works on what is half done');
        });
        return true;
      });
    } catch (error) {
      if (error instanceof GivenUp) return false;
      throw error;
    }
  }

  leave(): void {
    this.#agent.summed('leave', () => this.#lock.letGo());
  }

  wakeAll(): void {
    this.#agent.summed('wake all', () => this.#lock.wakeAll());
  }
}

/** What the real lock is to be for those who use it: makes worlds of other things smaller. */
class SimpleLock {
  readonly #agent: Agent;

  constructor(agent: Agent) {
    this.#agent = agent;
  }

  take(): number {
    return this.#agent.atomically(C.LOCK, (memory) => {
      const owner = memory.get(C.LOCK) - 1;
      const isDead = owner >= 0 && memory.get(C.wordsOfAgent(owner) + C.STATE) === C.DEAD;
      if (owner >= 0 && !isDead) return undefined;
      memory.set(C.LOCK, this.#agent.index + 1);
      return owner;
    });
  }

  letGo(): void {
    leavingNoted(this.#agent, this.#agent.words).exchange(C.LOCK, 0);
  }

  wakeAll(): void {}
}

/** Notes in one moment with the exchange of the lock word that its owner is no more inside. */
function leavingNoted(agent: Agent, steps: WordSteps): WordSteps {
  return {
    ...steps,
    exchange: (at, value) => {
      const before = steps.exchange(at, value);
      if (at === C.LOCK) {
        agent.note((memory) => {
          const inside = memory.get(INSIDE);
          if (inside !== 1 << agent.index) throw new Error(`lets go of what ${inside} has`);
          memory.set(INSIDE, 0);
        });
      }
      return before;
    },
  };
}

/** Agents that take the lock, change two words that must stay equal, and let it go. */
export function lockWorld(visitors: readonly Visitor[], common: Common = {}): World {
  const programs = visitors.map(
    (visitor): Program =>
      (agent) => {
        const { times = 1 } = visitor;
        const entrance = new Entrance(agent, common, undoPair, visitor);
        for (let time = 0; time < times; time++) {
          agent.again(`time ${time}`);
          if (!entrance.enter()) return;
          if (visitor.changes !== false) agent.summed('change', () => changePair(agent));
          entrance.leave();
        }
      },
  );
  return {
    ...worldOf(common, programs, (agent) => new Entrance(agent, common, undoPair)),
    atEnd: (memory) => {
      const changes = memory.get(CHANGES);
      const isLeftToTheNext = programs.some(
        (_, agent) => memory.isDead(agent) && (memory.get(C.LOCK) & ~waited) === agent + 1,
      );
      if (isLeftToTheNext && (common.undertaker ?? 'buries') !== 'buries') return;
      same('the lock', memory.get(C.LOCK), 0);
      same('the journal', memory.get(JOURNAL), 0);
      same('the first word', memory.get(FIRST), changes);
      same('the second word', memory.get(SECOND), changes);
      const isSure = visitors.every(({ mayGiveUp, changes }) => !mayGiveUp && changes !== false);
      if (isSure && (common.deaths ?? 0) === 0) {
        same('changes', changes, total(visitors.map(({ times = 1 }) => times)));
      }
    },
  };
}

function changePair(agent: Agent): void {
  const { words } = agent;
  const first = words.load(FIRST);
  same('the second word', words.load(SECOND), first);
  words.store(JOURNAL, 1 + first);
  words.store(FIRST, first + 1);
  words.store(SECOND, first + 1);
  words.store(JOURNAL, 0);
  agent.note((memory) => {
    memory.set(CHANGES, memory.get(CHANGES) + 1);
  });
}

function undoPair({ words }: Agent, journal: number): void {
  words.store(FIRST, journal - 1);
  words.store(SECOND, journal - 1);
}

/**
 * One dies with the lock, another waits for it, a third buries the dead; and a newcomer comes to
 * the place that the dead one had.
 */
export function newcomerWorld(generation: number): World {
  const state = C.wordsOfAgent(0) + C.STATE;
  const visits =
    (place: Place): Program =>
    (agent) => {
      const { words, index } = agent;
      const entrance = new Entrance(agent, { deaths: 1 }, undoPair, {}, place);
      if (index === 2) agent.waitUntil(state, C.DEAD);
      if (index === 3) agent.waitUntil(state, C.FREE);
      if (index === 3) words.store(state, C.LIVE);
      entrance.enter();
      if (index === 2) words.store(state, C.FREE);
      entrance.leave();
    };
  const start = new Map([[state, C.LIVE]]);
  const marks: Program = (agent) => {
    agent.noticeDeath();
    agent.words.store(state, C.DEAD);
    portOf(agent.words).notify(control, C.LOCK);
  };
  return {
    words: wordsFor(5),
    start,
    guarded: guardedByLock,
    programs: [
      ...[0, 1, 2].map((place) => visits({ place, generation: 0 })),
      visits({ place: 0, generation }),
      marks,
    ],
    mortals: [0],
    onDeath,
  };
}

// ---------------------------------------------------------------------------------------------
// The queue

/** One who wants the resource, in the queue world. */
export interface Wanter {
  /** How often. Default once. */
  readonly times?: number;
  /** How it waits: see SLEEP of control.ts. Default its thread blocks. */
  readonly waits?: 'blocked' | 'in its event loop' | 'for messages';
  /** Whom it interrupts first, if he waits. */
  readonly interrupts?: number;
  /** Whether it wants the resource at all. Default true. */
  readonly acquires?: boolean;
}

/** What may be done wrong on purpose. */
type Wrong =
  | 'rings before the hand-over'
  | 'reads after the check'
  | 'believes a report on an earlier request';

interface QueueOptions extends Common {
  /** Whether there are interruptions to be looked for. */
  readonly interrupts?: boolean;
  /** Whether a thread that blocks may wake although its doorbell has not been rung. */
  readonly wakesEarly?: boolean;
  readonly wrong?: Wrong;
  /** Instead of the real one. */
  readonly ring?: (words: WordSteps, agent: number) => boolean;
}

/** Agents that queue for one resource, and are told by their doorbells that it is theirs. */
export function queueWorld(wanters: readonly Wanter[], options: QueueOptions = {}): World {
  const programs = wanters.map(
    (wanter): Program =>
      (agent) => {
        const { times = 1, interrupts, acquires = true } = wanter;
        const seat = new Seat(agent, options, wanters.length, wanter.waits);
        if (interrupts !== undefined) agent.summed('interrupt', () => seat.interrupt(interrupts));
        for (let time = 0; acquires && time < times; time++) {
          agent.again(`time ${time}`);
          if (!agent.summed('acquire', () => seat.acquire())) continue;
          agent.summed('use', () => seat.use());
          agent.summed('release', () => seat.release());
        }
      },
  );
  const world = worldOf(options, programs, (agent) => new Seat(agent, options, wanters.length));
  return {
    ...world,
    atEnd: (memory) => {
      const isLeftToTheNext = wanters.some((_, agent) => memory.isDead(agent));
      if (isLeftToTheNext && (options.undertaker ?? 'buries') !== 'buries') return;
      same('the lock', memory.get(C.LOCK), 0);
      same('the journal', memory.get(JOURNAL), 0);
      same('the holder', memory.get(HOLDER), 0);
      same('the queue', memory.get(QUEUE), 0);
      wanters.forEach(({ acquires = true, times = 1 }, agent) => {
        if (memory.isDead(agent) || !acquires) return;
        if (outcomeOf(memory.get(OUTCOMES), agent) !== times) {
          throw new Error(`agent ${agent} ended neither granted nor interrupted`);
        }
        const interrupted = C.wordsOfAgent(agent) + C.INTERRUPTED;
        same('an interruption', memory.get(interrupted), 0);
      });
    },
  };
}

/** An agent of the queue world. Agents are called by their numbers, from 1, in holder and queue. */
class Seat {
  readonly #agent: Agent;
  readonly #options: QueueOptions;
  readonly #agentCount: number;
  readonly #number: number;
  readonly #entrance: Entrance;
  readonly #doorbell: Doorbell;
  readonly #waits: Wanter['waits'];
  /** What the doorbell or the messages stood at. */
  #seen = 0;
  /** Whom to ring on leaving. */
  #toRing: number[] = [];
  /** Whom to tell, before that, of the grant that he is blocked for. */
  #toTell: number[] = [];

  constructor(
    agent: Agent,
    options: QueueOptions,
    agentCount: number,
    waits: Wanter['waits'] = 'blocked',
  ) {
    const { fault = (steps: WordSteps) => steps } = options;
    this.#agent = agent;
    this.#options = options;
    this.#agentCount = agentCount;
    this.#number = agent.index + 1;
    this.#waits = waits;
    this.#entrance = new Entrance(agent, options, undoQueue);
    const steps = fault(agent.words);
    const bellAt = C.wordsOfAgent(agent.index) + C.DOORBELL;
    const load = (at: number): number => {
      const value = steps.load(at);
      if (at === bellAt) this.#seen = value;
      return value;
    };
    this.#doorbell = new Doorbell(control, agent.index, portOf({ ...steps, load }));
    if (waits === 'in its event loop') this.#doorbell.reachedBy = C.ON_DOORBELL;
    if (waits === 'for messages') this.#doorbell.reachedBy = C.ON_CHANNEL;
  }

  /** Whether it was granted; else it was interrupted. */
  acquire(): boolean {
    const { words } = this.#agent;
    this.#enter();
    const holder = words.load(HOLDER);
    const queue = words.load(QUEUE);
    if (holder === 0) {
      same('the queue of what nobody has', queue, 0);
      this.#change([holder, queue], [this.#number, 0], () => this.#noteGrant(this.#number));
    } else {
      this.#change([holder, queue], [holder, appended(queue, this.#number)], () => {
        const me = this.#number;
        this.#agent.note((memory) => memory.set(LINE, appended(memory.get(LINE), me)));
      });
      this.#noteBlocked(1);
    }
    this.#leave();
    return holder === 0 || this.#waitForNews();
  }

  #waitForNews(): boolean {
    const isLate = this.#options.wrong === 'reads after the check';
    for (;;) {
      this.#agent.again('waits');
      if (!isLate) this.#look();
      const news = this.#agent.summed('news', () => this.#news());
      if (news !== 'none') return news === 'granted';
      if (isLate) this.#look();
      this.#agent.summed('sleep', () => this.#sleep());
      if (this.#agent.summed('told', () => this.#isTold())) return true;
    }
  }

  /** Without the lock: see heardOf in the threads host. */
  #isTold(): boolean {
    const { words, index } = this.#agent;
    if (this.#waits !== 'blocked') return false;
    if (words.load(C.wordsOfAgent(index) + C.GRANTED_SET) === 0) return false;
    if (this.#options.interrupts === true) words.store(C.wordsOfAgent(index) + C.INTERRUPTED, 0);
    this.#noteBlocked(0);
    return true;
  }

  /** Whether its thread is blocked; and nobody has told it of a grant. */
  #noteBlocked(blocked: number): void {
    if (this.#waits !== 'blocked') return;
    const { words, index } = this.#agent;
    const at = C.wordsOfAgent(index);
    words.store(at + C.BLOCKED_SET, blocked);
    if (this.#options.wrong === 'believes a report on an earlier request') return;
    words.store(at + C.GRANTED_SET, 0);
  }

  #news(): 'none' | 'granted' | 'interrupted' {
    const { words, index } = this.#agent;
    const interrupted = C.wordsOfAgent(index) + C.INTERRUPTED;
    this.#enter();
    const holder = words.load(HOLDER);
    const isInterrupted = this.#options.interrupts === true && words.load(interrupted) === 1;
    const isGranted = holder === this.#number;
    if (isInterrupted) words.store(interrupted, 0);
    if (isInterrupted && !isGranted) {
      const queue = words.load(QUEUE);
      this.#change([holder, queue], [holder, without(queue, this.#number)], () => {
        this.#agent.note((memory) => {
          memory.set(LINE, without(memory.get(LINE), this.#number));
        });
        this.#noteEnd(this.#number);
      });
    }
    if (isGranted || isInterrupted) this.#noteBlocked(0);
    this.#leave();
    if (isGranted) return 'granted';
    return isInterrupted ? 'interrupted' : 'none';
  }

  use(): void {
    const { words } = this.#agent;
    words.store(USER, this.#number);
    same('the user', words.load(USER), this.#number);
  }

  release(): void {
    const { words } = this.#agent;
    if (this.#options.wrong === 'rings before the hand-over') {
      const next = firstOf(words.load(QUEUE));
      if (next !== 0) this.#ring(next - 1);
    }
    this.#enter();
    const holder = words.load(HOLDER);
    same('the holder', holder, this.#number);
    this.#handOver(holder, words.load(QUEUE));
    if (this.#options.wrong === 'rings before the hand-over') this.#toRing = [];
    this.#leave();
  }

  interrupt(agent: number): void {
    const { words } = this.#agent;
    this.#enter();
    if (includes(words.load(QUEUE), agent + 1)) {
      words.store(C.wordsOfAgent(agent) + C.INTERRUPTED, 1);
      this.#toRing.push(agent);
    }
    this.#leave();
  }

  /** The undertaker's part. */
  afterDeath(dead: number): void {
    const { undertaker = 'buries', omits } = this.#options;
    this.#agent.words.store(C.wordsOfAgent(dead) + C.STATE, C.DEAD);
    if (undertaker === 'buries') {
      this.#enter();
      this.#leave();
    }
    if (omits !== 'waking all') this.#entrance.wakeAll();
    if (omits === 'ringing all') return;
    for (let agent = 0; agent < this.#agentCount; agent++) {
      if (agent !== dead) this.#agent.summed('ring', () => this.#ring(agent));
    }
  }

  /** Takes the lock, and buries whoever is marked as dead. */
  #enter(): void {
    this.#toRing = [];
    this.#toTell = [];
    this.#entrance.enter();
    if ((this.#options.deaths ?? 0) === 0) return;
    const { words, index } = this.#agent;
    for (let agent = 0; agent < this.#agentCount; agent++) {
      if (agent === index) continue;
      const state = C.wordsOfAgent(agent) + C.STATE;
      if (words.load(state) !== C.DEAD) continue;
      this.#bury(agent + 1);
      words.store(state, C.FREE);
    }
  }

  #bury(dead: number): void {
    const { words } = this.#agent;
    const holder = words.load(HOLDER);
    const queue = words.load(QUEUE);
    if (holder === dead) {
      this.#handOver(holder, queue);
    } else if (includes(queue, dead)) {
      this.#change([holder, queue], [holder, without(queue, dead)]);
    }
  }

  #handOver(holder: number, queue: number): void {
    const next = firstOf(queue);
    const { words } = this.#agent;
    const blocked = next === 0 ? 0 : words.load(C.wordsOfAgent(next - 1) + C.BLOCKED_SET);
    if (blocked === 1) this.#toTell.push(next - 1);
    this.#change([holder, queue], [next, queue >> 2], () => this.#noteGrant(next));
    if (next !== 0 && next !== this.#number) this.#toRing.push(next - 1);
  }

  #tell(): void {
    for (const agent of this.#toTell) {
      this.#agent.words.store(C.wordsOfAgent(agent) + C.GRANTED_SET, 1);
    }
    this.#toTell = [];
  }

  #leave(): void {
    this.#tell();
    this.#entrance.leave();
    for (const agent of this.#toRing) this.#ring(agent);
    this.#toRing = [];
  }

  #ring(agent: number): void {
    const { words } = this.#agent;
    const { fault = (steps: WordSteps) => steps } = this.#options;
    const isMessageNeeded =
      this.#options.ring?.(words, agent) ?? notifyAgent(control, agent, portOf(fault(words)));
    if (!isMessageNeeded) return;
    words.add(MESSAGES + agent, 1);
    words.notify(MESSAGES + agent, Number.POSITIVE_INFINITY);
  }

  #look(): void {
    // A message that comes while another is looked at is looked at after that.
    if (this.#waits === 'for messages') {
      this.#seen = this.#agent.words.load(MESSAGES + this.#agent.index);
    } else {
      this.#doorbell.read();
    }
  }

  #sleep(): void {
    const { words, index } = this.#agent;
    const sleepMs = this.#options.wakesEarly === true ? 100 : Number.POSITIVE_INFINITY;
    if (this.#waits === 'blocked') this.#doorbell.sleep(sleepMs);
    // What waitAsync does: see Doorbell.whenNotified.
    const isInLoop = this.#waits === 'in its event loop';
    const at = isInLoop ? C.wordsOfAgent(index) + C.DOORBELL : MESSAGES + index;
    if (this.#waits !== 'blocked') words.wait(at, this.#seen, Number.POSITIVE_INFINITY);
  }

  /** Holder and queue, all or nothing. */
  #change(
    [holder, queue]: readonly [number, number],
    [holderNext, queueNext]: readonly [number, number],
    noted: () => void = () => {},
  ): void {
    const { words } = this.#agent;
    words.store(JOURNAL, 1 + holder + (queue << 2));
    words.store(HOLDER, holderNext);
    words.store(QUEUE, queueNext);
    words.store(JOURNAL, 0);
    noted();
  }

  /** Who is granted is the first in the line that lives. */
  #noteGrant(granted: number): void {
    if (granted === 0) return;
    const isNew = granted === this.#number;
    this.#agent.note((memory) => {
      let line = memory.get(LINE);
      if (isNew && !includes(line, granted)) line = appended(line, granted);
      while (firstOf(line) !== granted) {
        if (line === 0) throw new Error(`${granted} is granted, and has not asked`);
        if (!memory.isDead(firstOf(line) - 1)) {
          throw new Error(`${granted} is granted before ${firstOf(line)}`);
        }
        line >>= 2;
      }
      memory.set(LINE, line >> 2);
    });
    this.#noteEnd(granted);
  }

  /** A request has ended, in either way. */
  #noteEnd(number: number): void {
    this.#agent.note((memory) => {
      const outcomes = memory.get(OUTCOMES);
      if (outcomeOf(outcomes, number - 1) === 3) throw new Error('it ends too often');
      memory.set(OUTCOMES, outcomes + (1 << ((number - 1) * 2)));
    });
  }
}

function undoQueue({ words }: Agent, journal: number): void {
  words.store(HOLDER, (journal - 1) & 3);
  words.store(QUEUE, (journal - 1) >> 2);
}

function firstOf(queue: number): number {
  return queue & 3;
}

function membersOf(queue: number): readonly number[] {
  const members: number[] = [];
  for (let rest = queue; rest !== 0; rest >>= 2) members.push(firstOf(rest));
  return members;
}

function queueOf(members: readonly number[]): number {
  return members.reduceRight((queue, member) => (queue << 2) | member, 0);
}

function includes(queue: number, member: number): boolean {
  return membersOf(queue).includes(member);
}

function appended(queue: number, member: number): number {
  return queueOf([...membersOf(queue), member]);
}

function without(queue: number, member: number): number {
  return queueOf(membersOf(queue).filter((other) => other !== member));
}

function outcomeOf(outcomes: number, agent: number): number {
  return (outcomes >> (agent * 2)) & 3;
}

// ---------------------------------------------------------------------------------------------
// What all worlds have

function worldOf(
  common: Common,
  programs: readonly Program[],
  coffinOf: (agent: Agent) => Entrance | Seat,
): World {
  const { deaths = 0, mortals = [...programs.keys()], undertaker = 'buries' } = common;
  const hasUndertaker = deaths > 0 && undertaker !== 'is late for ever';
  const undertakes: Program = (agent) => {
    const place = coffinOf(agent);
    for (;;) {
      agent.again('idle');
      const dead = agent.noticeDeath();
      if (place instanceof Seat) agent.summed('after death', () => place.afterDeath(dead));
      else agent.summed('after death', () => afterDeath(agent, place, dead, common));
    }
  };
  return {
    words: wordsFor(programs.length + 1),
    ...(common.reduces === false ? {} : { guarded: guardedByLock }),
    programs: hasUndertaker ? [...programs, undertakes] : programs,
    mortals: deaths > 0 ? mortals : [],
    deathCountMax: deaths,
    timeOuts: common.timeOuts ?? false,
    forgets: common.forgets ?? true,
    onDeath,
  };
}

function afterDeath(agent: Agent, entrance: Entrance, dead: number, common: Common): void {
  const { undertaker = 'buries', omits } = common;
  agent.words.store(C.wordsOfAgent(dead) + C.STATE, C.DEAD);
  if (undertaker === 'buries') {
    entrance.enter();
    entrance.leave();
  }
  if (omits !== 'waking all') entrance.wakeAll();
}

function onDeath(memory: Parameters<NonNullable<World['onDeath']>>[0], agent: number): void {
  const isOwner = (memory.get(C.LOCK) & ~waited) === agent + 1;
  if (isOwner && memory.get(JOURNAL) !== 0) memory.set(HALF_DONE, 1);
}

function wordsFor(agentCount: number): ReadonlyMap<number, string> {
  const words = new Map([
    [C.LOCK, 'lock'],
    [FIRST, 'first'],
    [SECOND, 'second'],
    [JOURNAL, 'journal'],
    [CHANGES, 'changes'],
    [HALF_DONE, 'half done'],
    [INSIDE, 'inside'],
    [HOLDER, 'holder'],
    [QUEUE, 'queue'],
    [USER, 'user'],
    [LINE, 'line'],
    [OUTCOMES, 'outcomes'],
  ]);
  for (let agent = 0; agent < agentCount; agent++) {
    const at = C.wordsOfAgent(agent);
    words.set(at + C.STATE, `state of ${agent}`);
    words.set(at + C.DOORBELL, `doorbell of ${agent}`);
    words.set(at + C.SLEEP, `sleep of ${agent}`);
    words.set(at + C.INTERRUPTED, `interrupted ${agent}`);
    words.set(at + C.BLOCKED_SET, `blocked ${agent}`);
    words.set(at + C.GRANTED_SET, `told ${agent}`);
    words.set(MESSAGES + agent, `messages to ${agent}`);
  }
  return words;
}

function same(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}`);
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}
