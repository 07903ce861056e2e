/**
 * Runs the very Lua that a Redis server would run, as that would run it: whole, alone, and with no
 * globals but what Redis gives.
 *
 * The interpreter is Lua 5.4 compiled to WebAssembly (wasmoon), spoken to by its C interface: the
 * package's own conversion of each call to JavaScript costs fifteen times as much. Redis has Lua
 * 5.1, so the prelude takes away what 5.1 lacks, adds what 5.4 lost, and prints numbers as 5.1
 * does. It walks tables in the order of their keys, where a real one follows its hashes: a script
 * that depends on that order is caught by the differential test (test/sim/store.test.ts).
 *
 * Strings hold bytes, a character each (latin1), as Redis knows nothing else.
 */

import { createHash } from 'node:crypto';
import { LuaFactory } from 'wasmoon';

/** What Redis answers. An error is {@link RedisError}; nothing is `null`. */
export type Reply = string | number | null | Status | readonly Reply[];

/** A "simple string", which scripts see as a table with `ok`. */
export class Status {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** An error that the server replies with; its first word is the code. */
export class RedisError extends Error {
  override readonly name = 'ReplyError';
}

export type Call = (args: readonly string[]) => Reply;

const registry = -1_001_000;
const scratchBytes = 1 << 20;

const typeNil = 0;
const typeBoolean = 1;
const typeNumber = 3;
const typeString = 4;
const typeTable = 5;

const prelude = `
local call, pcall_, sha1hex = ...
-- A script leaves little: to collect it at each doubling of the memory takes a tenth of the time.
collectgarbage('setpause', 1000)
local following = next
local keysOf = function(t)
  local keys = {}
  for k in following, t do keys[#keys + 1] = k end
  table.sort(keys, function(a, b)
    if type(a) ~= type(b) then return type(a) < type(b) end
    return a < b
  end)
  return keys
end
pairs = function(t)
  local keys, at = keysOf(t), 0
  return function()
    at = at + 1
    if keys[at] ~= nil then return keys[at], t[keys[at]] end
  end, t, nil
end
next = function(t, k)
  assert(k == nil, 'next is only for whether a table is empty: walk it with pairs')
  return following(t)
end
local format, text = string.format, tostring
tostring = function(v)
  if type(v) == 'number' then return format('%.14g', v) end
  return text(v)
end
redis = {
  call = call, pcall = pcall_, sha1hex = sha1hex,
  error_reply = function(m) return { err = m } end,
  status_reply = function(m) return { ok = m } end,
  replicate_commands = function() return true end,
  log = function() end,
  LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
}
unpack = table.unpack
math.pow = function(a, b) return a ^ b end
KEYS, ARGV = {}, {}
for _, name in ipairs({ 'dofile', 'loadfile', 'require', 'print', 'io', 'os', 'package', 'utf8',
  'debug', 'coroutine', 'collectgarbage', 'warn', 'load' }) do _G[name] = nil end
table.unpack, table.pack, table.move = nil, nil, nil
math.tointeger, math.type, math.ult, math.random, math.randomseed = nil, nil, nil, nil, nil
string.pack, string.unpack, string.packsize = nil, nil, nil
setmetatable(_G, {
  __newindex = function(_, name)
    error('Script attempted to create global variable ' .. "'" .. name .. "'", 2)
  end,
  __index = function(_, name)
    error('Script attempted to access nonexistent global variable ' .. "'" .. name .. "'", 2)
  end,
})
local seal = { __newindex = function() error('Attempt to modify a readonly table', 2) end }
setmetatable(redis, seal)
`;

/** The part of the interpreter's C interface that is used. Pointers and counts are numbers. */
interface LuaC {
  readonly HEAPU8: Uint8Array;
  readonly HEAPU32: Uint32Array;
  addFunction(f: (state: number) => number, signature: 'ii'): number;
  _malloc(bytes: number): number;
  _luaL_newstate(): number;
  _luaL_openlibs(state: number): void;
  _luaL_loadbufferx(state: number, text: number, size: number, name: number, mode: number): number;
  _luaL_ref(state: number, table: number): number;
  _lua_checkstack(state: number, count: number): number;
  _lua_createtable(state: number, arrayCount: number, fieldCount: number): void;
  _lua_error(state: number): number;
  _lua_getfield(state: number, at: number, name: number): number;
  _lua_gettop(state: number): number;
  _lua_pcallk(
    state: number,
    argumentCount: number,
    resultCount: number,
    handler: number,
    context: number,
    continuation: number,
  ): number;
  _lua_pushboolean(state: number, value: number): void;
  _lua_pushcclosure(state: number, f: number, upvalueCount: number): void;
  _lua_pushinteger(state: number, value: bigint): void;
  _lua_pushlstring(state: number, text: number, size: number): number;
  _lua_rawgeti(state: number, at: number, index: bigint): number;
  _lua_rawseti(state: number, at: number, index: bigint): void;
  _lua_setfield(state: number, at: number, name: number): void;
  _lua_setglobal(state: number, name: number): void;
  _lua_settop(state: number, count: number): void;
  _lua_toboolean(state: number, at: number): number;
  _lua_tolstring(state: number, at: number, size: number): number;
  _lua_tonumberx(state: number, at: number, isNumber: number): number;
  _lua_type(state: number, at: number): number;
}

/** A script that the interpreter has compiled. */
export interface Script {
  readonly sha: string;
  readonly reference: number;
}

function shaOf(text: string): string {
  return createHash('sha1').update(Buffer.from(text, 'latin1')).digest('hex');
}

export class LuaMachine {
  readonly #c: LuaC;
  readonly #state: number;
  readonly #scratch: number;
  readonly #size: number;
  /** By text: compiled once, for all servers there ever are. */
  readonly #scripts = new Map<string, Script>();
  #call: Call = () => null;
  #memory: Buffer = Buffer.alloc(0);
  /** What went wrong outside of Lua, and must not be caught by a script's own `pcall`. */
  #fatal: unknown;

  /** Takes some 20 ms; one machine serves any number of servers, one script at a time. */
  static async create(): Promise<LuaMachine> {
    const { module } = await new LuaFactory().getLuaModule();
    return new LuaMachine(module as unknown as LuaC);
  }

  private constructor(c: LuaC) {
    this.#c = c;
    this.#state = c._luaL_newstate();
    this.#scratch = c._malloc(scratchBytes);
    this.#size = c._malloc(8);
    c._luaL_openlibs(this.#state);
    this.#load(prelude);
    this.#pushFunction((state) => this.#fromLua(state, true));
    this.#pushFunction((state) => this.#fromLua(state, false));
    this.#pushFunction((state) => {
      this.#pushString(shaOf(this.#argument(state, 1)), state);
      return 1;
    });
    if (c._lua_pcallk(this.#state, 3, 0, 0, 0, 0) !== 0) throw new Error(this.#takeString());
  }

  /** Compiles a script, or throws what Redis replies if it has an error. */
  compile(text: string): Script {
    const known = this.#scripts.get(text);
    if (known !== undefined) return known;
    try {
      this.#load(text);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new RedisError(`ERR Error compiling script (new function): ${reason}`);
    }
    const reference = this.#c._luaL_ref(this.#state, registry);
    const script = { sha: shaOf(text), reference };
    this.#scripts.set(text, script);
    return script;
  }

  /** Runs a script to its end; `call` is what `redis.call` does. Throws a {@link RedisError}. */
  run(script: Script, keys: readonly string[], args: readonly string[], call: Call): Reply {
    const c = this.#c;
    this.#call = call;
    this.#fatal = undefined;
    this.#setGlobal('KEYS', keys);
    this.#setGlobal('ARGV', args);
    c._lua_rawgeti(this.#state, registry, BigInt(script.reference));
    const code = c._lua_pcallk(this.#state, 0, 1, 0, 0, 0);
    try {
      if (this.#fatal !== undefined) throw this.#fatal;
      if (code !== 0) throw this.#errorOf(script);
      return this.#replyAt(-1);
    } finally {
      c._lua_settop(this.#state, 0);
    }
  }

  #load(text: string): void {
    const name = this.#write('@user_script', scratchBytes - 64);
    const at = this.#write(text);
    const code = this.#c._luaL_loadbufferx(this.#state, at, text.length, name, 0);
    if (code !== 0) throw new Error(this.#takeString());
  }

  #pushFunction(f: (state: number) => number): void {
    this.#c._lua_pushcclosure(this.#state, this.#c.addFunction(f, 'ii'), 0);
  }

  #setGlobal(name: string, values: readonly string[]): void {
    const c = this.#c;
    c._lua_createtable(this.#state, values.length, 0);
    for (const [index, value] of values.entries()) {
      this.#pushString(value, this.#state);
      c._lua_rawseti(this.#state, -2, BigInt(index + 1));
    }
    c._lua_setglobal(this.#state, this.#write(name));
  }

  /** `redis.call` and `redis.pcall`, as Lua calls them. */
  #fromLua(state: number, raises: boolean): number {
    const c = this.#c;
    try {
      const count = c._lua_gettop(state);
      const args: string[] = [];
      for (let at = 1; at <= count; at++) args.push(this.#argument(state, at));
      this.#pushReply(state, this.#call(args));
      return 1;
    } catch (error) {
      if (!(error instanceof RedisError)) this.#fatal = error;
      c._lua_settop(state, 0);
      c._lua_createtable(state, 0, 1);
      this.#pushString(error instanceof Error ? error.message : String(error), state);
      c._lua_setfield(state, -2, this.#write('err'));
      if (!raises && this.#fatal === undefined) return 1;
    }
    // Jumps out of here, as an exception of the interpreter's own: nothing may be in its way.
    return c._lua_error(state);
  }

  #argument(state: number, at: number): string {
    const kind = this.#c._lua_type(state, at);
    if (kind === typeString) return this.#stringAt(state, at);
    if (kind !== typeNumber) {
      throw new RedisError('ERR Lua redis lib command arguments must be strings or integers');
    }
    const value = this.#c._lua_tonumberx(state, at, 0);
    if (!Number.isSafeInteger(value)) {
      throw new Error(`a script gives ${value} to a command, which is no safe integer`);
    }
    return String(value);
  }

  #pushReply(state: number, reply: Reply): void {
    const c = this.#c;
    if (reply === null) c._lua_pushboolean(state, 0);
    else if (typeof reply === 'string') this.#pushString(reply, state);
    else if (typeof reply === 'number') c._lua_pushinteger(state, BigInt(reply));
    else if (reply instanceof Status) {
      c._lua_createtable(state, 0, 1);
      this.#pushString(reply.text, state);
      c._lua_setfield(state, -2, this.#write('ok'));
    } else {
      c._lua_checkstack(state, 4);
      c._lua_createtable(state, reply.length, 0);
      for (const [index, item] of reply.entries()) {
        this.#pushReply(state, item);
        c._lua_rawseti(state, -2, BigInt(index + 1));
      }
    }
  }

  /** What a script returns, as Redis makes a reply of it. */
  #replyAt(at: number): Reply {
    const c = this.#c;
    const state = this.#state;
    switch (c._lua_type(state, at)) {
      case typeNil:
        return null;
      case typeBoolean:
        return c._lua_toboolean(state, at) === 0 ? null : 1;
      case typeNumber:
        return Math.trunc(c._lua_tonumberx(state, at, 0));
      case typeString:
        return this.#stringAt(state, at);
      case typeTable:
        return this.#replyOfTable();
      default:
        return null;
    }
  }

  /** Of the table on top of the stack. */
  #replyOfTable(): Reply {
    const c = this.#c;
    const state = this.#state;
    c._lua_checkstack(state, 4);
    const failed = this.#field('err');
    if (failed !== undefined) throw new RedisError(failed);
    const status = this.#field('ok');
    if (status !== undefined) return new Status(status);
    const items: Reply[] = [];
    for (let index = 1; c._lua_rawgeti(state, -1, BigInt(index)) !== typeNil; index++) {
      items.push(this.#replyAt(-1));
      c._lua_settop(state, -2);
    }
    c._lua_settop(state, -2);
    return items;
  }

  /** A string in the table on top of the stack. */
  #field(name: string): string | undefined {
    const kind = this.#c._lua_getfield(this.#state, -1, this.#write(name));
    const value = kind === typeString ? this.#stringAt(this.#state, -1) : undefined;
    this.#c._lua_settop(this.#state, -2);
    return value;
  }

  #errorOf(script: Script): RedisError {
    const state = this.#state;
    const isTable = this.#c._lua_type(state, -1) === typeTable;
    const text = isTable ? (this.#field('err') ?? 'ERR unknown error') : this.#takeString();
    const coded = isTable ? text : `ERR ${text}`;
    return new RedisError(`${coded} script: ${script.sha}`);
  }

  #takeString(): string {
    const text = this.#stringAt(this.#state, -1);
    this.#c._lua_settop(this.#state, -2);
    return text;
  }

  #stringAt(state: number, at: number): string {
    const start = this.#c._lua_tolstring(state, at, this.#size);
    const end = start + (this.#c.HEAPU32[this.#size >> 2] as number);
    return this.#bytes.toString('latin1', start, end);
  }

  #pushString(text: string, state: number): void {
    this.#c._lua_pushlstring(state, this.#write(text), text.length);
  }

  /** Copies bytes to where C can read them, until the next call; ends them with a zero. */
  #write(text: string, offset = 0): number {
    const { length } = text;
    if (offset + length >= scratchBytes) throw new RangeError(`${length} bytes are too many`);
    const start = this.#scratch + offset;
    const bytes = this.#bytes;
    bytes.write(text, start, 'latin1');
    bytes[start + length] = 0;
    return start;
  }

  /** The memory of the interpreter, which is another one when it has grown. */
  get #bytes(): Buffer {
    const { buffer } = this.#c.HEAPU8;
    if (this.#memory.buffer !== buffer) this.#memory = Buffer.from(buffer);
    return this.#memory;
  }
}
