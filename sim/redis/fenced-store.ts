/**
 * Data that the locks protect, somewhere else: it knows nothing of locks but the tokens that come
 * with each access, and refuses stale ones by `fence.lua`, the file that users put before their own
 * scripts. What it should refuse is told by the server's own order of grants, not by tokens.
 */

import { text as fence } from '../../src/backends/redis/lua/fence.lua';
import type { Machine } from '../machine.ts';
import type { SeededRandom } from '../random.ts';
import { Violation, type World } from '../world.ts';
import { runCommand } from './commands.ts';
import { Keyspace } from './keyspace.ts';
import type { LuaMachine, Script } from './lua.ts';
import { toBytes } from './wire.ts';
import type { GrantSeen, Mode } from './witness.ts';

const users = {
  x: "if not kds_fence(KEYS[1], ARGV[1], 'exclusive') then return 'stale' end return 'done'",
  s: "if not kds_fence(KEYS[1], ARGV[1], 'shared') then return 'stale' end return 'done'",
} as const;

interface Access {
  readonly seen: GrantSeen;
  readonly mode: Mode;
}

export class FencedStore {
  acceptedCount = 0;
  refusedCount = 0;
  readonly #world: World;
  readonly #lua: LuaMachine;
  readonly #random: SeededRandom;
  readonly #scripts: Readonly<Record<Mode, Script>>;
  readonly #keyspace = new Keyspace();
  /** By name: those that were let in. */
  readonly #accepted = new Map<string, Access[]>();

  constructor(world: World, lua: LuaMachine) {
    this.#world = world;
    this.#lua = lua;
    this.#random = world.random.fork();
    this.#scripts = {
      x: lua.compile(toBytes(`${fence}\n${users.x}`)),
      s: lua.compile(toBytes(`${fence}\n${users.s}`)),
    };
  }

  /**
   * Sends an access, which arrives whatever becomes of who sent it; resolves when it is answered.
   */
  access(machine: Machine, seen: GrantSeen, name: string, mode: Mode): Promise<void> {
    return new Promise((resolve) => {
      const { clock } = this.#world;
      clock.after(this.#random.real(0.1, this.#random.chance(0.1) ? 500 : 5), () => {
        this.#arrive({ seen, mode }, name);
        clock.after(this.#random.real(0.1, 5), () => machine.receive(resolve));
      });
    });
  }

  #arrive(access: Access, name: string): void {
    const { seen, mode } = access;
    const reply = this.#lua.run(
      this.#scripts[mode],
      [`fence:${name}`],
      [String(seen.token)],
      (words) => runCommand({ keyspace: this.#keyspace, nowUs: 0, publish: () => 0 }, words),
    );
    this.#keyspace.commit();
    const told = `${mode === 'x' ? 'write' : 'read'} of ${name} by ${seen.token}`;
    this.#world.log(() => `  ${told} is ${reply}`);
    const accepted = this.#accepted.get(name) ?? [];
    const later = accepted.find(
      (other) => (mode === 'x' || other.mode === 'x') && other.seen.order > seen.order,
    );
    if (reply === 'done') {
      this.acceptedCount++;
      this.#accepted.set(name, [...accepted, access]);
      this.#check(later === undefined, `${told} is accepted after ${later?.seen.token} was seen`);
    } else {
      this.refusedCount++;
      // A late access of a grant that was ended may meet a server that has it again.
      const isHeld = seen.fate === 'live' && !seen.wasTaken && !seen.wasEnded;
      this.#check(!isHeld, `${told}, which is held, is refused`);
    }
  }

  #check(isTrue: boolean, what: string): void {
    if (!isTrue) this.#world.fail(new Violation(`at the fence: ${what}`));
  }
}
