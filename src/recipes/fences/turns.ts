/** Runs tasks one after the other, never one within another: a chain of them needs no stack. */

import { throwUncaught } from '../../runtime/uncaught.ts';

type Task = () => void;

export class Turns {
  #waiting: Task[] = [];
  #isRunning = false;

  /** At once, or, if it is called from a task, after those that are due before it. */
  run(task: Task): void {
    this.#waiting.push(task);
    if (this.#isRunning) return;
    this.#isRunning = true;
    while (this.#waiting.length > 0) {
      const tasks = this.#waiting;
      this.#waiting = [];
      for (const each of tasks) runCaught(each);
    }
    this.#isRunning = false;
  }
}

/** What a task throws is an uncaught exception, and stops no other. */
function runCaught(task: Task): void {
  try {
    task();
  } catch (error) {
    throwUncaught(error);
  }
}
