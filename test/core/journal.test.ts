/**
 * What is in the journal is enough, in any order of misfortunes, and there is always room for it.
 */

import { describe, expect, it } from 'vitest';
import {
  ALL,
  begin,
  Core,
  commit,
  endOfSlots,
  findFaults,
  layJournal,
  Memory,
  rollBack,
} from '../../src/core/index.ts';
import { JOURNAL, JOURNAL_OPERATION, TOP } from '../../src/core/layout.ts';
import { failing } from './failing-words.ts';

/** The journal is in the way of more slots. */
class Fixed extends Memory {
  override grow(): boolean {
    return false;
  }
}

/** Memory of so many words, full of readers behind one writer, and that writer. */
function crowded(wordCount: number): { readonly core: Core; readonly writer: number } {
  const memory = new Fixed({ wordsMin: wordCount, wordsMax: wordCount });
  memory.end = endOfSlots(wordCount);
  layJournal(memory.words, memory.end);
  const core = new Core(memory);
  const both = [core.createResource(1), core.createResource(2)];
  for (const resource of both) core.keep(resource, true);
  const writer = core.enqueue(both, 2, 2, 0, 0, 0);
  while (core.enqueue(both, 0, 2, 0, 0, 0) !== 0);
  return { core, writer };
}

describe('the journal', () => {
  it('has room for an operation that changes every slot there is', () => {
    const { core, writer } = crowded(4096);
    const { words } = core.memory;
    const before = words.slice(0, words[TOP]);
    begin(words);
    core.remove(writer, false);
    while (core.takeGranted() !== 0);
    expect(words[JOURNAL]).toBeLessThanOrEqual(words.length);
    rollBack(words);
    before[JOURNAL_OPERATION] = words[JOURNAL_OPERATION] as number;
    expect(words.slice(0, before.length)).toEqual(before);
  });

  it('can be undone by another when who undoes it dies, at whichever write', () => {
    const { core, writer } = crowded(512);
    const { words } = core.memory;
    const before = words.slice(0, words[TOP]);
    begin(words);
    core.remove(writer, true);
    while (core.takeGranted() !== 0);
    const changed = words.slice();
    before[JOURNAL_OPERATION] = words[JOURNAL_OPERATION] as number;
    let writeCount = 0;
    for (let isThrough = false; !isThrough; writeCount++) {
      words.set(changed);
      try {
        rollBack(failing(words, writeCount));
        isThrough = true;
      } catch {
        rollBack(words);
      }
      expect(words.slice(0, before.length)).toEqual(before);
    }
    expect(writeCount).toBeGreaterThan(100);
  });

  it('takes back an observation and its end: the first of a resource, one in another list', () => {
    const memory = new Fixed({ wordsMin: 512, wordsMax: 512 });
    memory.end = endOfSlots(512);
    const { words } = memory;
    layJournal(words, memory.end);
    const core = new Core(memory);
    const resource = core.createResource(1);
    core.enqueue([resource], 1, 1, 0, 0, 0);
    const takeBack = (operation: () => void): void => {
      const before = words.slice(0, words[TOP]);
      begin(words);
      operation();
      rollBack(words);
      before[JOURNAL_OPERATION] = words[JOURNAL_OPERATION] as number;
      expect(words.slice(0, before.length)).toEqual(before);
    };
    const observers: number[] = [];
    for (const exclusiveCount of [1, 0, 1, 1]) {
      takeBack(() => expect(core.observe([resource], exclusiveCount, 1, 0)).not.toBe(0));
      observers.push(core.observe([resource], exclusiveCount, 1, 0));
      for (const observer of observers) takeBack(() => core.remove(observer, false));
    }
  });

  it('takes back each operation on a resource with a capacity', () => {
    const memory = new Fixed({ wordsMin: 2048, wordsMax: 2048 });
    memory.end = endOfSlots(2048);
    const { words } = memory;
    layJournal(words, memory.end);
    const core = new Core(memory);
    const [a, b, c] = [core.createResource(1), core.createResource(2), core.createResource(3)];
    const through = (operation: () => unknown): void => {
      operation();
      for (let set = core.takeLost(); set !== 0; set = core.takeLost()) core.forget(set);
      while ((core.takeGranted() | core.takeIdle()) !== 0);
    };
    const step = (operation: () => unknown): void => {
      const before = words.slice(0, words[TOP]);
      begin(words);
      through(operation);
      rollBack(words);
      before[JOURNAL_OPERATION] = words[JOURNAL_OPERATION] as number;
      expect(words.slice(0, before.length)).toEqual(before);
      through(operation);
      expect(findFaults(memory)).toEqual([]);
    };
    const ask = (resource: number, units: number): number => {
      let set = 0;
      step(() => {
        set = core.enqueue([resource], 0, 1, 0, 0, 0, [units]);
      });
      return set;
    };
    const end = (set: number) => step(() => core.remove(set, false));
    step(() => core.setCapacity(a, 6));
    const [one, two, three, four] = [ask(a, 1), ask(a, 1), ask(a, 3), ask(a, 1)] as const;
    const [big, small] = [ask(a, 4), ask(a, 1)];
    // The first numbers, then others, then those between them come back.
    end(one);
    end(three);
    end(big);
    end(two);
    step(() => core.tryUpgrade(four, false));
    step(() => core.downgrade(small, false, () => 1));
    end(small);
    step(() => core.tryUpgrade(four, false));
    step(() => core.downgrade(four, false, () => 4));
    step(() => core.downgrade(four, false, () => 2));
    // Some of the holders are left over, some of the waiting sets are refused, or wait again.
    const holder = ask(b, ALL);
    step(() => core.enqueue([b, a], 2, 2, 0, 0, 0, [ALL, 2]));
    const rest = [ask(a, 1), ask(a, 3), ask(a, 1)] as const;
    step(() => core.setCapacity(a, 1));
    step(() => core.setCapacity(a, 6));
    end(holder);
    end(rest[0]);
    end(four);
    step(() => core.steal([a], 1, 0, 0));
    // Numbers come back behind free ones, and before those of another grant.
    step(() => core.setCapacity(b, 3));
    const [first, second, third] = [ask(b, 1), ask(b, 1), ask(b, 1)] as const;
    end(first);
    end(second);
    end(third);
    // An asserted capacity, and a part let go.
    step(() => core.assertCapacity(c, 3));
    const last = ask(c, 2);
    step(() => {
      core.choose(last, [c], 1);
      core.removeChosen(last);
    });
    step(() => core.assertCapacity(c, 3));
    step(() => core.dropAsserted(c));
  });

  it('forgets what is committed', () => {
    const { core, writer } = crowded(512);
    const { words } = core.memory;
    begin(words);
    core.remove(writer, false);
    while (core.takeGranted() !== 0);
    commit(words);
    const after = words.slice(0, words[TOP]);
    rollBack(words);
    expect(words.slice(0, after.length)).toEqual(after);
  });

  it('counts on when the number of an operation is at its end', () => {
    const { core, writer } = crowded(512);
    const { words } = core.memory;
    words[JOURNAL_OPERATION] = 2 ** 31 - 1;
    const before = words.slice(0, words[TOP]);
    begin(words);
    core.remove(writer, false);
    rollBack(words);
    before[JOURNAL_OPERATION] = words[JOURNAL_OPERATION] as number;
    expect(words.slice(0, before.length)).toEqual(before);
    expect(words[JOURNAL_OPERATION]).toBe(1);
  });
});
